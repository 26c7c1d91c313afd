//! A connection whose other end is known.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use finial_tls::{Guarded, Peer, Secured, Standing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsStream, client, server};

/// A mutual TLS connection with a known peer.
///
/// Once the trust it rests on has gone (the authority of the peer was removed, or our own identity was) reads and
/// writes fail with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) and a [`Fallen`](finial_tls::Fallen) that says
/// why. A read that waits is woken for that; so keep one waiting, as HTTP does.
pub struct Connection {
    stream: Guarded<TlsStream<TcpStream>>,
    peer: Peer,
}

impl Connection {
    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The encrypted stream, for the addresses and the parameters of TLS.
    pub fn stream(&self) -> &TlsStream<TcpStream> {
        self.stream.stream()
    }

    fn new(stream: TlsStream<TcpStream>, peer: Peer, standing: Standing) -> Self {
        Self { stream: Guarded::new(stream, standing), peer }
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
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
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
