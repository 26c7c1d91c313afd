//! A connection that somebody else may end, and that ends by itself when its client has nothing to ask.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Of a client's connection (RFC 9113 §3.4).
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream that reads as ended, and takes no more, once its end has come.
pub struct Ending<S> {
    stream: S,
    end: Wait,
    /// Until the first call: what has come, and how long to wait for it.
    waiting: Option<(Opening, Wait)>,
    ended: bool,
}

impl<S> Ending<S> {
    /// `end` resolves when the connection must be closed whatever is going on in it, and `patience` when it must unless
    /// a call has begun: a client that says nothing, or says it byte by byte, holds it no longer. Nothing may have been
    /// read yet. What `end` owns is dropped with the connection.
    pub fn new(
        stream: S,
        end: impl Future<Output = ()> + Send + 'static,
        patience: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let waiting = Some((Opening::default(), Box::pin(patience) as Wait));
        Self { stream, end: Box::pin(end), waiting, ended: false }
    }

    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.ended {
            let waited =
                self.waiting.as_mut().is_some_and(|(_, patience)| patience.as_mut().poll(cx).is_ready());
            self.ended = waited || self.end.as_mut().poll(cx).is_ready();
        }
        self.ended
    }

    fn note(&mut self, read: &[u8]) {
        if self.waiting.as_mut().is_some_and(|(opening, _)| opening.has_call(read)) {
            self.waiting = None;
        }
    }
}

impl<S> std::fmt::Debug for Ending<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ending").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_ended(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(&buf.filled()[before..]);
        polled
    }
}

/// The end wakes the reader: a server always has a read waiting.
impl<S: AsyncWrite + Unpin> AsyncWrite for Ending<S> {
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

/// Follows the frames with which a client begins, in whatever pieces they come.
#[derive(Debug)]
struct Opening {
    /// Of the preface, or of a frame's content.
    skip: usize,
    header: [u8; FRAME_HEADER],
    read: usize,
}

impl Default for Opening {
    fn default() -> Self {
        Self { skip: PREFACE, header: [0; FRAME_HEADER], read: 0 }
    }
}

impl Opening {
    /// Whether a call begins among the next bytes.
    fn has_call(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.read] = byte;
            self.read += 1;
            bytes = rest;
            if self.read == FRAME_HEADER {
                let [high, middle, low, kind, ..] = self.header;
                if kind == HEADERS {
                    return true;
                }
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.read = 0;
            }
        }
        false
    }
}
