//! The public socket: each connection is bound to the process that opened it before a byte of it is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use finial_attest::{AttestError, PeerPidfd, PinnedProcess};
use finial_daemon::socket::UnixSocket;
use finial_provide::WorkloadPeer;
use finial_wire::server::{Gathered, MendedAuthority};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::transport::server::Connected;

/// A connection to the Workload API, and who opened it.
#[derive(Debug)]
pub(crate) struct WorkloadConnection {
    stream: Gathered<MendedAuthority<UnixStream>>,
    peer: WorkloadPeer,
}

/// The connections of processes that could be pinned; others are closed.
pub(crate) fn connections(
    socket: UnixSocket,
    pidfd: PeerPidfd,
) -> impl Stream<Item = io::Result<WorkloadConnection>> + Send + 'static {
    futures_util::stream::unfold(socket, move |mut socket| async move {
        loop {
            let stream = socket.accept().await;
            match PinnedProcess::of_peer(&stream, pidfd) {
                Ok(process) => {
                    let peer = WorkloadPeer::new(Arc::new(process));
                    let stream = Gathered::new(MendedAuthority::new(stream));
                    return Some((Ok(WorkloadConnection { stream, peer }), socket));
                }
                Err(AttestError::Gone(gone)) => tracing::debug!(%gone, "a caller ended before it was served"),
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, "a caller could not be told from others, so it is not served");
                }
            }
        }
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
