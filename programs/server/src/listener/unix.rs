//! The Unix socket: whoever the file's permissions let in is an operator.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finial_attest::Caller;
use finial_daemon::socket::{self, Access, SocketError, UnixSocket};
use finial_daemon::{Clock, Drain, Tasks};
use finial_wire::server::MendedAuthority;
use futures_util::stream;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tonic::service::Routes;

use super::connection::Connection;
use super::tcp::overdue;
use super::{MAX_CONNECTIONS, Origin, http2};
use crate::guard::GuardLayer;

/// The API for operators, bound and not yet accepting.
pub(crate) struct UnixApi {
    socket: UnixSocket,
    path: PathBuf,
}

impl UnixApi {
    pub(crate) fn bind(path: &Path, clock: &Clock) -> Result<Self, SocketError> {
        let socket = socket::bind(path, Access::OWNER_AND_GROUP, clock)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts and serves until the tasks are drained.
    pub(crate) fn serve(self, guard: GuardLayer, routes: Routes, clock: &Clock, tasks: &Tasks) {
        let drain = tasks.drain();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let door = Door { socket: self.socket, places, clock: clock.clone(), drain: drain.clone() };
        let incoming = stream::unfold(door, async |mut door| {
            let connection = door.next().await;
            Some((connection, door))
        });
        tasks.spawn("unix api", async move {
            let server = http2().layer(guard).add_routes(routes);
            if let Err(error) = server.serve_with_incoming_shutdown(incoming, drain.requested()).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the API on the Unix socket has failed"
                );
                drain.request();
            }
        });
    }
}

struct Door {
    socket: UnixSocket,
    places: Arc<Semaphore>,
    clock: Clock,
    drain: Drain,
}

impl Door {
    /// The next connection of a process that the kernel names.
    async fn next(&mut self) -> io::Result<Connection<MendedAuthority<UnixStream>>> {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
            let stream = self.socket.accept().await;
            match Caller::local(&stream) {
                Ok(caller) => {
                    let end = overdue(self.drain.clone(), self.clock.clone());
                    return Ok(Connection::new(
                        MendedAuthority::new(stream),
                        Origin::new(caller, None),
                        place,
                        end,
                    ));
                }
                Err(error) => {
                    let reason = &error as &dyn std::error::Error;
                    tracing::debug!(error = reason, "a local caller is unknown and was turned away");
                }
            }
        }
    }
}
