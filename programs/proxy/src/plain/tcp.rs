//! A connection by TCP, with as few packets as its end and its beginning need.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendFlags, send};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// After how much silence TCP asks whether the other end still lives, and how often.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(15);

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    remote: SocketAddr,
    /// The other end was not told yet that the connection has come about.
    untold: bool,
    /// What is written waits for the end.
    ending: bool,
}

impl Tcp {
    /// Dials. The last of the three packets that make a connection waits for what is said first, and takes it along; at the
    /// first read that finds nothing it leaves alone, since the other end may be the one that speaks first.
    pub(super) async fn dial(remote: SocketAddr) -> io::Result<Self> {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // All of these improve a connection that also works without.
        let _ = socket.set_nodelay(true);
        let untold = SockRef::from(&socket).set_tcp_quickack(false).is_ok();
        // On this machine the kernel knows who lives.
        if !remote.ip().is_loopback() {
            keep_alive(&SockRef::from(&socket));
        }
        Ok(Self { stream: socket.connect(remote).await?, remote, untold, ending: false })
    }

    /// A connection to a listener that was [`prepared`](prepare).
    pub(super) fn accepted((stream, remote): (TcpStream, SocketAddr)) -> Self {
        Self { stream, remote, untold: false, ending: false }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Tells the other end that it is connected; else the kernel would, a fifth of a second later.
    fn tell(&mut self) {
        if self.untold {
            self.untold = false;
            let _ = SockRef::from(&self.stream).set_tcp_quickack(true);
        }
    }

    /// Keeps what is written from now on for the end, which must follow at once: both then leave in one packet.
    pub(super) fn end_with_what_follows(&mut self) {
        self.ending = true;
    }

    fn poll_write_last(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let write = || Ok(send(&self.stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?);
            match self.stream.try_io(Interest::WRITABLE, write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

/// Has the connections of a listener send small writes at once, and notice a dead other end: they inherit it, which
/// spares them the calls.
pub(crate) fn prepare(listener: &TcpListener) {
    let listener = SockRef::from(listener);
    // Both improve connections that also work without.
    let _ = listener.set_tcp_nodelay(true);
    keep_alive(&listener);
}

fn keep_alive(socket: &SockRef<'_>) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _ = socket.set_tcp_keepalive(&keepalive);
}

/// Who was dialled learns of it, even when the connection is aborted before anything was said.
impl Drop for Tcp {
    fn drop(&mut self) {
        self.tell();
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_pending() {
            this.tell();
        }
        read
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.ending {
            return this.poll_write_last(context, bytes);
        }
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.untold &= written.is_pending();
        written
    }

    /// TLS hands over several records at once.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.ending {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return this.poll_write_last(context, first.map_or(&[], |slice| slice));
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.untold &= written.is_pending();
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
