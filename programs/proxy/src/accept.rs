//! Accepting connections: one at a time, each into a session of its own, never more than are admitted.

mod passed;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use finial_daemon::socket::{self, Access, UnixSocket};
use finial_daemon::{Backoff, Clock, Tasks};
use tokio::net::TcpListener;

use self::passed::Passed;
pub(crate) use self::passed::PassedSockets;
use crate::admission::{Admission, Pass};
use crate::places::Place;
use crate::plain::{self, Plain};
use crate::{Address, ProxyError};

const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// A bound socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp { listener: TcpListener, clock: Clock, backoff: Backoff },
    Unix(UnixSocket),
    Passed(Passed),
}

impl Listener {
    /// A Unix socket is open to this user and group only: whoever connects to a client uses its identity.
    pub(crate) async fn bind(
        address: &Address,
        passed: &mut PassedSockets,
        clock: &Clock,
    ) -> Result<Self, ProxyError> {
        match address {
            Address::Passed(name) => Ok(Self::Passed(passed.take(name, clock)?)),
            Address::Unix(path) => Ok(Self::Unix(socket::bind(path, Access::OWNER_AND_GROUP, clock)?)),
            Address::Tcp { host, port } => {
                let bound = bind(host, *port).await;
                let listener =
                    bound.map_err(|cause| ProxyError::Listen { address: address.clone(), cause })?;
                plain::prepare(&listener);
                let backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
                Ok(Self::Tcp { listener, clock: clock.clone(), backoff })
            }
        }
    }

    /// The port that was bound; `None` for a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { listener, .. } => listener.local_addr().ok(),
            Self::Unix(_) => None,
            Self::Passed(passed) => passed.address(),
        }
    }

    /// The next connection. May be dropped while waiting.
    async fn accept(&mut self) -> Plain {
        match self {
            Self::Unix(socket) => Plain::from(socket.accept().await),
            Self::Passed(passed) => passed.accept().await,
            Self::Tcp { listener, clock, backoff } => loop {
                match listener.accept().await {
                    Ok(accepted) => {
                        backoff.reset();
                        return Plain::accepted(accepted);
                    }
                    Err(error) => {
                        tracing::warn!("error accepting connection: {error}");
                        clock.sleep(backoff.next()).await;
                    }
                }
            },
        }
    }
}

/// Without a host on all addresses: those of IPv6 take IPv4 with them, where the system has IPv6.
async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    if !host.is_empty() {
        return TcpListener::bind((host, port)).await;
    }
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

/// Accepts until `tasks` are asked to end, and runs `session` for each connection. It waits for room before accept, so
/// that what exceeds it waits in the kernel's backlog instead of costing memory here. What waits there at the end is
/// reset by the kernel, as a handshake that has not ended is given up; a socket that systemd holds keeps it for the next
/// process.
pub(crate) async fn serve<S, F>(
    mut listener: Listener,
    admission: Admission,
    tasks: Tasks,
    name: &'static str,
    session: S,
) where
    S: Fn(Plain, Pass) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let drain = tasks.drain();
    loop {
        let (place, stream) = tokio::select! {
            biased;
            () = drain.requested() => return,
            accepted = next(&mut listener, &admission) => accepted,
        };
        let pass = admission.admit(place, stream.origin());
        // A session is large, and would be moved about with all that is put around it.
        tasks.spawn_session(name, Box::pin(session(stream, pass)));
    }
}

async fn next(listener: &mut Listener, admission: &Admission) -> (Option<Place>, Plain) {
    loop {
        let place = admission.has_room().await;
        tokio::select! {
            stream = listener.accept() => return (place, stream),
            () = admission.fills_up() => {}
        }
    }
}
