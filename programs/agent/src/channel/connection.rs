//! A connection that ends with the trust it rests on.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context as Polled, Poll, ready};

use finial_tls::{Fallen, Standing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::roster::Term;

/// A secured stream that breaks as soon as the trust it rests on has gone.
pub(super) struct Connection<S> {
    stream: S,
    /// `None` once it has fallen.
    fallen: Option<Pin<Box<dyn Future<Output = Fallen> + Send>>>,
    term: Term,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, mut standing: Standing, term: Term) -> Self {
        Self { stream, fallen: Some(Box::pin(async move { standing.fallen().await })), term }
    }

    fn stand(&mut self, cx: &mut Polled<'_>) -> io::Result<()> {
        let Some(fallen) = &mut self.fallen else {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection is no longer trusted",
            ));
        };
        match fallen.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(fallen) => {
                self.fallen = None;
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, fallen))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Polled<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stand(cx)?;
        let before = buf.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if outcome.is_err() || buf.filled().len() == before {
            self.term.ended_by_server();
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Polled<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stand(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
