//! A connection whose other end is known.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use finial_tls::{Fallen, Peer, Secured, Standing};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsStream, client, server};

/// A mutual TLS connection with a known peer.
///
/// Once the trust it rests on has gone (the authority of the peer was removed, or our own identity was) reads and
/// writes fail with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) and a [`Fallen`] that says why. A read
/// that waits is woken for that; so keep one waiting, as HTTP does.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    trust: Trust,
}

enum Trust {
    Stands(BoxFuture<'static, Fallen>),
    Gone(Fallen),
}

impl Connection {
    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The encrypted stream, for the addresses and the parameters of TLS.
    pub fn stream(&self) -> &TlsStream<TcpStream> {
        &self.stream
    }

    fn new(stream: TlsStream<TcpStream>, peer: Peer, mut standing: Standing) -> Self {
        let trust = Trust::Stands(Box::pin(async move { standing.fallen().await }));
        Self { stream, peer, trust }
    }

    /// # Errors
    /// When the trust has gone by now; else the task is woken when it does.
    fn poll_trust(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Trust::Stands(fallen) = &mut self.trust
            && let Poll::Ready(fallen) = fallen.as_mut().poll(context)
        {
            self.trust = Trust::Gone(fallen);
        }
        self.check_trust()
    }

    fn check_trust(&self) -> io::Result<()> {
        match &self.trust {
            Trust::Stands(_) => Ok(()),
            Trust::Gone(fallen) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, fallen.clone())),
        }
    }
}

impl From<Secured<server::TlsStream<TcpStream>>> for Connection {
    fn from(secured: Secured<server::TlsStream<TcpStream>>) -> Self {
        Self::new(secured.stream.into(), secured.peer, secured.standing)
    }
}

impl From<Secured<client::TlsStream<TcpStream>>> for Connection {
    fn from(secured: Secured<client::TlsStream<TcpStream>>) -> Self {
        Self::new(secured.stream.into(), secured.peer, secured.standing)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_trust(context)?;
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    // Only reads poll the trust: it wakes one task, and a split connection has another that writes.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_trust()?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", self.peer.spiffe_id()).finish_non_exhaustive()
    }
}
