//! A connection in the clear: TCP or a Unix socket, dialled or accepted.

mod names;
mod tcp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use finial_daemon::{Clock, Elapsed, doorstep::Origin};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub(crate) use self::names::Names;
use self::tcp::Tcp;
pub(crate) use self::tcp::prepare;
use crate::Address;
use crate::pipe::End;
use crate::proxy::DialError;
use crate::proxy_protocol::Ends;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remote {
    Tcp(SocketAddr),
    Unix,
}

#[derive(Debug)]
pub(crate) enum Plain {
    Tcp(Tcp),
    Unix(UnixStream),
}

/// Dials an address in `limit`. A name with several addresses is dialled in the order of the resolver, each address with
/// its share of what is left, so that one that is silent leaves time for those after it. What is [known](Names) of a name
/// is used as long as one of its addresses answers.
pub(crate) async fn dial(
    address: &Address,
    names: &Names,
    (limit, clock): (Duration, &Clock),
) -> Result<Plain, DialError> {
    let (host, port) = match address {
        Address::Tcp { host, port } if host.is_empty() => ("localhost", *port),
        Address::Tcp { host, port } => (host.as_str(), *port),
        Address::Unix(path) => {
            return Ok(Plain::from(clock.timeout(limit, UnixStream::connect(path)).await??));
        }
        Address::Passed(_) => return Err(io::Error::other("a socket of systemd only listens").into()),
    };
    if let Ok(ip) = host.parse() {
        return dial_first(&[SocketAddr::new(ip, port)], (limit, clock)).await;
    }
    let began = clock.monotonic();
    let mut failed = None;
    if let Some(known) = names.recall(host, port, began) {
        match dial_first(&known, (limit, clock)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some((known, error)),
        }
    }
    let left = || limit.saturating_sub(clock.monotonic().saturating_sub(began));
    let found = clock.timeout(left(), names.ask(host, port, clock.monotonic())).await;
    // The whole limit is what people know.
    let found = found.map_err(|_| Elapsed(limit))??;
    if let Some((known, error)) = failed
        && known.len() == found.len()
        && known.iter().all(|address| found.contains(address))
    {
        return Err(error);
    }
    let stream = dial_first(&found, (left(), clock)).await?;
    if let Plain::Tcp(tcp) = &stream {
        names.prefer(host, tcp.remote());
    }
    Ok(stream)
}

async fn dial_first(
    addresses: &[SocketAddr],
    (limit, clock): (Duration, &Clock),
) -> Result<Plain, DialError> {
    let until = clock.monotonic() + limit;
    let mut last = DialError::Io(io::Error::other("the name has no address"));
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        // One alone has the whole limit, which is what people know.
        let share = if addresses.len() == 1 { limit } else { until.saturating_sub(clock.monotonic()) / left };
        match clock.timeout(share, Tcp::dial(*address)).await {
            Ok(Ok(stream)) => return Ok(Plain::Tcp(stream)),
            Ok(Err(error)) => last = error.into(),
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}

impl Plain {
    /// A connection to a listener that was [`prepared`](prepare).
    pub(crate) fn accepted(accepted: (TcpStream, SocketAddr)) -> Self {
        Self::Tcp(Tcp::accepted(accepted))
    }

    /// The other end, as log lines name it.
    pub(crate) fn remote(&self) -> Remote {
        match self {
            Self::Tcp(stream) => Remote::Tcp(stream.remote()),
            Self::Unix(_) => Remote::Unix,
        }
    }

    /// Both ends, the other one first.
    pub(crate) fn ends(&self) -> Ends {
        match self {
            Self::Tcp(tcp) => Some((tcp.remote(), tcp.stream().local_addr().ok()?)),
            Self::Unix(_) => None,
        }
    }

    /// From where it comes, in so far as one party can be told from another.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Tcp(stream) => Origin::of(stream.remote().ip()),
            Self::Unix(_) => Origin::ThisMachine,
        }
    }

    /// Whether the other end was seen to leave. What it says is passed over.
    pub(crate) fn has_ended(&self) -> bool {
        let mut said = [0; 256];
        let read = match self {
            Self::Tcp(tcp) => tcp.stream().try_read(&mut said),
            Self::Unix(stream) => stream.try_read(&mut said),
        };
        match read {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Resolves when the other end has said something, or has left; takes nothing of it. At once for a Unix socket,
    /// where nothing depends on it.
    pub(crate) async fn spoken(&self) -> io::Result<()> {
        match self {
            // Readiness alone may be a false alarm.
            Self::Tcp(tcp) => tcp.stream().peek(&mut [0]).await.map(drop),
            Self::Unix(_) => Ok(()),
        }
    }

    /// Makes the close of this connection, however it comes about, an abort: the other end gets a reset, so that it
    /// cannot take what it has received for the whole. A Unix socket knows no reset and is closed.
    pub(crate) fn abort_on_close(&self) {
        self.set_linger(Some(Duration::ZERO));
    }

    /// Takes [`abort_on_close`](Self::abort_on_close) back.
    pub(crate) fn close_in_order(&self) {
        self.set_linger(None);
    }

    fn set_linger(&self, linger: Option<Duration>) {
        if let Self::Tcp(tcp) = self {
            // Fails only for a connection that is gone already.
            let _ = SockRef::from(tcp.stream()).set_linger(linger);
        }
    }
}

impl Remote {
    /// As lines name it that are not about a pipe.
    pub(crate) fn without_network(self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix => self.to_string(),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix => f.write_str("unix:"),
        }
    }
}

impl End for Plain {
    fn end_with_what_follows(&mut self) {
        if let Self::Tcp(tcp) = self {
            tcp.end_with_what_follows();
        }
    }
}

impl From<UnixStream> for Plain {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
