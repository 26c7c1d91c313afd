//! The Unix socket: whoever the file's permissions let in is an operator.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finial_attest::Caller;
use finial_daemon::doorstep::{self, Doorstep};
use finial_daemon::socket::{self, Access, SocketError, UnixSocket};
use finial_daemon::{Clock, Drain, Tasks};
use finial_wire::server::MendedAuthority;
use futures_util::stream;
use tokio::net::UnixStream;
use tonic::service::Routes;

use super::connection::Connection;
use super::tcp::{overdue, patience};
use super::{Gate, MAX_CONNECTIONS, Origin, http2};

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
    pub(crate) fn serve(self, gate: Gate, routes: Routes, clock: &Clock, tasks: &Tasks) {
        let drain = tasks.drain();
        let doorstep = Arc::new(Doorstep::new(MAX_CONNECTIONS, clock));
        let door = Door { socket: self.socket, doorstep, clock: clock.clone(), drain: drain.clone() };
        let incoming = stream::unfold(door, async |mut door| {
            let connection = door.next().await;
            Some((connection, door))
        });
        tasks.spawn("unix api", async move {
            let Gate { watch, guard } = gate;
            let server = http2().layer(watch).layer(guard).add_routes(routes);
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
    doorstep: Arc<Doorstep>,
    clock: Clock,
    drain: Drain,
}

impl Door {
    /// The next connection of a process that the kernel names.
    async fn next(&mut self) -> io::Result<Connection<MendedAuthority<UnixStream>>> {
        loop {
            self.doorstep.has_room().await;
            let stream = self.socket.accept().await;
            match Caller::local(&stream) {
                Ok(caller) => {
                    let mut spot = self.doorstep.enter(origin(&caller));
                    let patience = patience(self.clock.clone());
                    let overdue = overdue(self.drain.clone(), self.clock.clone());
                    let end = async move {
                        tokio::select! {
                            () = overdue => {}
                            () = spot.lost() => {}
                        }
                    };
                    let (stream, origin) = (MendedAuthority::new(stream), Origin::new(caller, None));
                    return Ok(Connection::new(stream, origin, end, patience));
                }
                Err(error) => {
                    let reason = &error as &dyn std::error::Error;
                    tracing::debug!(error = reason, "a local caller is unknown and was turned away");
                }
            }
        }
    }
}

fn origin(caller: &Caller) -> doorstep::Origin {
    match caller {
        Caller::Local(process) => doorstep::Origin::User(process.uid()),
        Caller::Spiffe(_) | Caller::Anonymous => doorstep::Origin::ThisMachine,
    }
}
