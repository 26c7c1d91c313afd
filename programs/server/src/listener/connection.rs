//! One open connection: carries who made it, and ends when it must.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use finial_wire::server::Ending;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::Origin;

/// A stream that ends when it must, and whose calls know who made it.
pub(super) struct Connection<S> {
    stream: Ending<S>,
    origin: Origin,
}

impl<S> Connection<S> {
    /// Ends with `end`, which owns the place that the connection takes, or with `patience` when no call has begun.
    pub(super) fn new(
        stream: S,
        origin: Origin,
        end: impl Future<Output = ()> + Send + 'static,
        patience: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { stream: Ending::new(stream, end, patience), origin }
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
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
