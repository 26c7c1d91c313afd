//! What many streams of a connection have to say at once, sent in one go.
//!
//! When something changes for all streams of a connection, each of them has a message. The connection's task would be
//! woken by the first and write it, be woken by the second and write that: a system call for each, or two, and a waking
//! of the other end. Held back until the other tasks that are ready have had their turn, they leave together.

#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is held back, in bytes.
const MOST: usize = 64 * 1024;

/// A connection whose writes are gathered until its task comes round again, which is at once when nothing else is ready.
#[derive(Debug)]
pub struct Gathered<S> {
    stream: S,
    held: BytesMut,
    /// Whether the other tasks have had their turn since something was held back.
    has_waited: bool,
}

impl<S> Gathered<S> {
    /// Of a connection to which nothing has been written yet.
    pub fn new(stream: S) -> Self {
        Self { stream, held: BytesMut::new(), has_waited: false }
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.advance(sent);
        }
        // An idle connection costs no buffer.
        self.held = BytesMut::new();
        self.has_waited = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() >= MOST {
            ready!(self.poll_send(cx))?;
        }
        let taken = buf.len().min(MOST - self.held.len());
        self.held.extend_from_slice(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && !self.has_waited {
            self.has_waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
