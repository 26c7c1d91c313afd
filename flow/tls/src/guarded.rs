//! A stream that fails once the trust it rests on has gone, for whoever only reads and writes.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Fallen, Standing};

/// A secured stream together with its [`Standing`].
///
/// Once the trust has gone (the authority of the peer was removed, or our own identity was) reads and writes fail with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) and a [`Fallen`] that says why. A read that waits is woken for
/// that; so keep one waiting, as HTTP and PostgreSQL do.
pub struct Guarded<S> {
    stream: S,
    trust: Trust,
}

enum Trust {
    Stands(Pin<Box<dyn Future<Output = Fallen> + Send + Sync>>),
    Gone(Fallen),
}

impl<S> Guarded<S> {
    /// Watches over `stream`.
    pub fn new(stream: S, mut standing: Standing) -> Self {
        let fallen = Box::pin(async move { standing.fallen().await });
        Self { stream, trust: Trust::Stands(fallen) }
    }

    /// The stream, for what it can tell of itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// # Errors
    /// When the trust has gone by now; else the task is woken when it does.
    fn poll_trust(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Trust::Stands(fallen) = &mut self.trust
            && let Poll::Ready(fallen) = fallen.as_mut().poll(context)
        {
            self.trust = Trust::Gone(fallen);
        }
        self.check_trust()
    }

    fn check_trust(&self) -> io::Result<()> {
        match &self.trust {
            Trust::Stands(_) => Ok(()),
            Trust::Gone(fallen) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, fallen.clone())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_trust(context)?;
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    // Only reads poll the trust: it wakes one task, and a split stream has another that writes.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_trust()?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("stream", &self.stream).finish_non_exhaustive()
    }
}
