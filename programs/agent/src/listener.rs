//! The sockets: each connection is bound to the process that opened it before a byte of it is read.

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use finial_attest::{AttestError, PeerPidfd, PinnedProcess};
use finial_daemon::doorstep::{Doorstep, Origin};
use finial_daemon::socket::UnixSocket;
use finial_daemon::{Clock, descriptors};
use finial_provide::WorkloadPeer;
use finial_wire::MAX_SILENCE;
use finial_wire::server::{Ending, Gathered, MendedAuthority};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::transport::server::Connected;

/// The most connections of a socket at a time. When there are more, the user that has most gives way.
const MAX_CONNECTIONS: usize = 16_384;

/// Descriptors that a connection takes: the socket, and the process at its other end.
const DESCRIPTORS: u64 = 2;

/// Of those that this process may have, what is left for everything else.
const SPARE_DESCRIPTORS: u64 = 512;

/// A connection to the Workload API, and who opened it.
#[derive(Debug)]
pub(crate) struct WorkloadConnection {
    stream: Gathered<MendedAuthority<Ending<UnixStream>>>,
    peer: WorkloadPeer,
}

/// A socket and those who have come in by it.
#[derive(Debug)]
pub(crate) struct Door {
    socket: UnixSocket,
    pidfd: PeerPidfd,
    doorstep: Arc<Doorstep>,
    clock: Clock,
}

impl Door {
    /// As many connections as there may be.
    pub(crate) fn new(socket: UnixSocket, pidfd: PeerPidfd, clock: &Clock) -> Self {
        Self::with_places(places(descriptors::limit()), socket, pidfd, clock)
    }

    fn with_places(places: usize, socket: UnixSocket, pidfd: PeerPidfd, clock: &Clock) -> Self {
        Self { socket, pidfd, doorstep: Arc::new(Doorstep::new(places, clock)), clock: clock.clone() }
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &Path {
        self.socket.path()
    }

    /// The next connection of a process that could be pinned; others are closed.
    async fn next(&mut self) -> WorkloadConnection {
        loop {
            self.doorstep.has_room().await;
            let stream = self.socket.accept().await;
            match PinnedProcess::of_peer(&stream, self.pidfd) {
                Ok(process) => {
                    let uid = process.credentials().uid();
                    let mut spot = self.doorstep.enter(Origin::User(uid));
                    let end = async move {
                        spot.lost().await;
                        tracing::debug!(uid, "a connection is closed to make room for another");
                    };
                    let clock = self.clock.clone();
                    let patience = async move { clock.sleep(MAX_SILENCE).await };
                    let stream = Ending::new(stream, end, patience);
                    let peer = WorkloadPeer::new(Arc::new(process));
                    return WorkloadConnection { stream: Gathered::new(MendedAuthority::new(stream)), peer };
                }
                Err(AttestError::Gone(gone)) => tracing::debug!(%gone, "a caller ended before it was served"),
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, "a caller could not be told from others, so it is not served");
                }
            }
        }
    }
}

/// So many that descriptors are left for files and for the server.
fn places(descriptors: Option<u64>) -> usize {
    let most = descriptors.map_or(u64::MAX, |limit| limit.saturating_sub(SPARE_DESCRIPTORS) / DESCRIPTORS);
    usize::try_from(most).unwrap_or(usize::MAX).clamp(1, MAX_CONNECTIONS)
}

/// The connections, for as long as somebody takes them.
pub(crate) fn connections(door: Door) -> impl Stream<Item = io::Result<WorkloadConnection>> + Send + 'static {
    futures_util::stream::unfold(door, async |mut door| {
        let connection = door.next().await;
        Some((Ok(connection), door))
    })
}

impl Connected for WorkloadConnection {
    type ConnectInfo = WorkloadPeer;

    fn connect_info(&self) -> WorkloadPeer {
        self.peer.clone()
    }
}

impl AsyncRead for WorkloadConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WorkloadConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
