//! Reading ahead: many TLS records in one call of the system, while many come.

#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pipe::{Buffer, End, Pool};

/// A stream below TLS. A reader of records asks for little at a time; where that little was all there was it gets what
/// it asks for, and else a whole buffer is read for it, which goes back to the pool as soon as it is empty.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    stream: S,
    pool: Pool,
    held: Option<(Buffer, Range<usize>)>,
    /// The last read got all it asked for, so that there may be more.
    plenty: bool,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(stream: S, pool: &Pool) -> Self {
        Self { stream, pool: pool.clone(), held: None, plenty: false }
    }

    fn serve(&mut self, buffer: &mut ReadBuf<'_>) {
        let Some((held, range)) = &mut self.held else { return };
        let count = range.len().min(buffer.remaining());
        buffer.put_slice(&held[range.start..range.start + count]);
        range.start += count;
        if range.start == range.end {
            self.held = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held.is_none() && !this.plenty {
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            this.plenty = buffer.remaining() == 0;
            return Poll::Ready(Ok(()));
        }
        if this.held.is_none() {
            let mut bytes = this.pool.take();
            let mut read = ReadBuf::new(&mut bytes);
            let outcome = Pin::new(&mut this.stream).poll_read(context, &mut read);
            let count = read.filled().len();
            this.plenty = outcome.is_ready() && count > buffer.remaining();
            ready!(outcome)?;
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            this.held = Some((bytes, 0..count));
        }
        this.serve(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: End> End for ReadAhead<S> {
    fn end_with_what_follows(&mut self) {
        self.stream.end_with_what_follows();
    }
}
