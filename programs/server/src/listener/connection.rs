//! One open connection: carries who made it, and ends when it must.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tonic::transport::server::Connected;

use super::Origin;

/// A stream that reads as ended, and takes no more, once its end has come.
pub(super) struct Connection<S> {
    stream: S,
    origin: Origin,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
    /// Counts this connection while it is open.
    _place: OwnedSemaphorePermit,
}

impl<S> Connection<S> {
    /// `end` resolves when the connection must be closed, whatever is going on in it.
    pub(super) fn new(
        stream: S,
        origin: Origin,
        place: OwnedSemaphorePermit,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { stream, origin, end: Box::pin(end), ended: false, _place: place }
    }

    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.ended {
            self.ended = self.end.as_mut().poll(cx).is_ready();
        }
        self.ended
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
        if self.has_ended(cx) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// The end wakes the reader: a server always has a read waiting.
impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
