//! One direction of an open connection: what was read is written, and then the end is passed on.

#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::End;
use super::pool::{Buffer, Pool};

/// Moves bytes when it is polled. Between bytes it holds no buffer.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    pool: &'a Pool,
    /// What was moved so far.
    moved: &'a AtomicU64,
    /// What was read and not yet written.
    held: Option<(Buffer, Range<usize>)>,
    unflushed: bool,
    /// The writer takes no more. What is said to it is dropped, but not left unread: a connection that is closed with
    /// bytes unread is reset, and its other end may lose what it was sent before.
    unheard: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// The reader has ended in order, or failed; what it had said before is still to be written.
    Ended(Option<io::Error>),
    Done,
}

impl<'a> Pump<'a> {
    pub(super) fn new(pool: &'a Pool, moved: &'a AtomicU64) -> Self {
        Self { pool, moved, held: None, unflushed: false, unheard: false, state: State::Open }
    }

    /// Resolves when the end of `from` has been passed on to `to`, or at that end when `to` takes no more.
    pub(super) fn poll<R, W>(
        &mut self,
        from: &mut R,
        to: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: End,
    {
        loop {
            let read = match self.held {
                None => self.fill(from, context),
                Some(_) => Poll::Ready(()),
            };
            if self.unheard {
                self.held = None;
            } else if ready!(self.empty(to, context)).is_err() {
                (self.unheard, self.held, self.unflushed) = (true, None, false);
                continue;
            }
            match &mut self.state {
                State::Open => ready!(read),
                State::Ended(failure) => {
                    if let Some(error) = failure.take() {
                        self.state = State::Done;
                        return Poll::Ready(Err(error));
                    }
                    to.end_with_what_follows();
                    // An end that has gone already cannot be told; the other direction finds out whether that was in
                    // order.
                    let _ = ready!(Pin::new(&mut *to).poll_shutdown(context));
                    self.state = State::Done;
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Whether nothing more arrives at the other end.
    pub(super) fn is_over(&self) -> bool {
        self.unheard || self.is_done()
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Reads as much as there is and a buffer holds. Ready when more may follow at once.
    fn fill<R: AsyncRead + Unpin>(&mut self, from: &mut R, context: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.state, State::Open) {
            return Poll::Ready(());
        }
        let mut buffer = self.pool.take();
        let mut read = ReadBuf::new(&mut buffer);
        let outcome = loop {
            let before = read.filled().len();
            match Pin::new(&mut *from).poll_read(context, &mut read) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Ok(())) if read.filled().len() > before && read.remaining() > 0 => {}
                Poll::Ready(Ok(())) if read.filled().len() > before => break Poll::Ready(()),
                Poll::Ready(ended) => {
                    self.state = State::Ended(ended.err());
                    break Poll::Ready(());
                }
            }
        };
        let count = read.filled().len();
        if count > 0 {
            self.held = Some((buffer, 0..count));
        }
        outcome
    }

    /// Writes what is held, and has it sent: TLS may hold records back that the socket would not take at once.
    fn empty<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some((buffer, range)) = &mut self.held {
            let count = ready!(Pin::new(&mut *to).poll_write(context, &buffer[range.clone()]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved.fetch_add(count as u64, Ordering::Relaxed);
            self.unflushed = true;
            range.start += count;
            if range.start == range.end {
                self.held = None;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut *to).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
