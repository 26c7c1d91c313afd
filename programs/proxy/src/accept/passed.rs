//! A socket that systemd has bound: `Sockets=` and `FileDescriptorName=` (sd_listen_fds(3)).

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use finial_daemon::{Backoff, Clock};
use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::{FIRST_RETRY, LAST_RETRY};
use crate::ProxyError;
use crate::plain::{self, Plain};

/// The listening socket of one name. It is systemd's, which goes on to hold it when this is dropped.
#[derive(Debug)]
pub(crate) struct Passed {
    socket: Socket,
    clock: Clock,
    backoff: Backoff,
}

/// The sockets that systemd has passed, by name.
pub(crate) struct PassedSockets {
    names: String,
    sockets: ListenFd,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl PassedSockets {
    /// What systemd has passed to this process. To be called once: the first to ask gets all of them.
    pub(crate) fn from_env() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { names, sockets: ListenFd::from_env() }
    }

    /// Takes the one socket of this name. A socket that was taken once is gone, as its number may be somebody else's
    /// by now.
    pub(super) fn take(&mut self, name: &str, clock: &Clock) -> Result<Passed, ProxyError> {
        let index = index(&self.names, self.sockets.len(), name)?;
        let fail = |cause| ProxyError::PassedSocket { name: name.to_owned(), cause };
        let socket = Socket::take(&mut self.sockets, index).map_err(fail)?;
        let backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        Ok(Passed { socket, clock: clock.clone(), backoff })
    }
}

impl Passed {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) => None,
        }
    }

    /// The next connection. May be dropped while waiting.
    pub(super) async fn accept(&mut self) -> Plain {
        loop {
            let accepted = match &self.socket {
                Socket::Tcp(listener) => listener.accept().await.map(Plain::accepted),
                Socket::Unix(listener) => listener.accept().await.map(|(stream, _)| Plain::from(stream)),
            };
            match accepted {
                Ok(stream) => {
                    self.backoff.reset();
                    return stream;
                }
                Err(error) => {
                    tracing::warn!("error accepting connection: {error}");
                    self.clock.sleep(self.backoff.next()).await;
                }
            }
        }
    }
}

impl Socket {
    fn take(passed: &mut ListenFd, index: usize) -> io::Result<Self> {
        let gone = || io::Error::other("it was taken already");
        if let Ok(listener) = passed.take_tcp_listener(index) {
            let listener = listener.ok_or_else(gone)?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            plain::prepare(&listener);
            return Ok(Self::Tcp(listener));
        }
        let listener = passed.take_unix_listener(index)?.ok_or_else(gone)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?))
    }
}

impl fmt::Debug for PassedSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassedSockets").field(&self.names).finish()
    }
}

/// Which of the passed sockets has the name, and it alone.
fn index(names: &str, count: usize, name: &str) -> Result<usize, ProxyError> {
    let named = names.split(':').take(count).enumerate().filter(|(_, given)| *given == name);
    match *named.map(|(index, _)| index).collect::<Vec<_>>() {
        [index] => Ok(index),
        [] => Err(ProxyError::NoPassedSocket { name: name.to_owned() }),
        ref several => Err(ProxyError::PassedSockets { name: name.to_owned(), count: several.len() }),
    }
}
