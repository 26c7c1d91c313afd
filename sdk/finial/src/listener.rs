//! Accepting connections whose other end is known, with many handshakes going on at once.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use finial_daemon::{Backoff, Clock};
use finial_tls::{Acceptor, TlsError};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};

use crate::Connection;

/// Handshakes at once; further callers wait in the kernel's backlog.
const HANDSHAKES: usize = 256;
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// A TCP listener that performs the server's side of mutual TLS.
pub struct Listener {
    listener: TcpListener,
    acceptor: Acceptor,
    clock: Clock,
    backoff: Backoff,
    handshakes: FuturesUnordered<BoxFuture<'static, (SocketAddr, Result<Connection, TlsError>)>>,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener, acceptor: Acceptor, clock: Clock) -> Self {
        let backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        Self { listener, acceptor, clock, backoff, handshakes: FuturesUnordered::new() }
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection with a peer that the policy permits; a caller that is refused is logged and costs the
    /// others nothing. Handshakes make progress only while this is awaited; it may be dropped while waiting.
    pub async fn accept(&mut self) -> Connection {
        loop {
            let room = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                Some((from, secured)) = self.handshakes.next() => match secured {
                    Ok(connection) => return connection,
                    Err(error) => {
                        let cause = std::error::Error::source(&error);
                        tracing::warn!(%from, cause, "refused a connection: {error}");
                    }
                },
                accepted = self.listener.accept(), if room => match accepted {
                    Ok((stream, from)) => {
                        self.backoff.reset();
                        self.begin(stream, from);
                    }
                    Err(error) => {
                        tracing::warn!("cannot accept a connection, trying on: {error}");
                        self.clock.sleep(self.backoff.next()).await;
                    }
                },
            }
        }
    }

    fn begin(&self, stream: TcpStream, from: SocketAddr) {
        let acceptor = self.acceptor.clone();
        self.handshakes
            .push(Box::pin(async move { (from, acceptor.accept(stream).await.map(Connection::from)) }));
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("listener", &self.listener).finish_non_exhaustive()
    }
}
