//! Requests while they arrive: they take up memory before anybody can tell what they are, so their time and their bytes
//! are limited.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// Before each message of gRPC: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The requests of one program that have not arrived in full. Clones count the same ones.
#[derive(Clone, Debug)]
pub struct Arrivals {
    bytes: Arc<AtomicUsize>,
    most: usize,
}

impl Arrivals {
    /// At most so many bytes at a time, of all requests together.
    pub fn new(most: usize) -> Self {
        Self { bytes: Arc::default(), most }
    }

    /// A request's body of which each message must be there before a `patience` is over: the first one's begins now, that
    /// of those that follow with their first byte. The call otherwise ends with DeadlineExceeded, and with
    /// ResourceExhausted when too many bytes of incomplete messages are held already.
    pub fn follow<W>(&self, body: Body, mut patience: impl FnMut() -> W + Send + 'static) -> Body
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let held = Held { arrivals: self.clone(), bytes: 0 };
        let mut renew: Box<dyn FnMut() -> Wait + Send> = Box::new(move || Box::pin(patience()));
        let patience = Some(renew());
        Body::new(Arriving { body, message: Message::default(), held, renew, patience })
    }

    fn take(&self, bytes: usize) -> Result<(), Status> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.most {
            return Ok(());
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(Status::resource_exhausted(format!(
            "requests of {} bytes are arriving, the most at a time; try again in a moment",
            self.most
        )))
    }
}

/// What one request has in memory.
#[derive(Debug)]
struct Held {
    arrivals: Arrivals,
    bytes: usize,
}

impl Held {
    fn grow(&mut self, bytes: usize) -> Result<(), Status> {
        self.arrivals.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    fn release(&mut self) {
        self.arrivals.bytes.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

struct Arriving {
    body: Body,
    message: Message,
    held: Held,
    renew: Box<dyn FnMut() -> Wait + Send>,
    /// Until the message is there that is under way, or that must come first.
    patience: Option<Wait>,
}

impl Arriving {
    /// Whoever reads takes the messages that are complete; the rest is held.
    fn note(&mut self, bytes: &Bytes) -> Result<(), Status> {
        if self.message.follow(bytes) {
            self.patience = None;
            self.held.release();
        }
        if self.message.so_far > 0 && self.patience.is_none() {
            self.patience = Some((self.renew)());
        }
        let held = self.message.so_far.saturating_sub(self.held.bytes);
        self.held.grow(held)
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.patience.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready()) {
            self.patience = None;
            return Poll::Ready(Some(Err(Status::deadline_exceeded("the request took too long to arrive"))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(Err(refusal)) = frame.data_ref().map(|bytes| self.note(bytes)) {
                    return Poll::Ready(Some(Err(refusal)));
                }
            }
            Some(Err(_)) | None => self.patience = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The message that is under way.
#[derive(Debug, Default)]
struct Message {
    prefix: [u8; PREFIX],
    so_far: usize,
}

impl Message {
    /// Whether a message has become complete with the next bytes.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut has_arrived = false;
        while !bytes.is_empty() {
            let wanted = self.length().unwrap_or(PREFIX) - self.so_far;
            let (now, rest) = bytes.split_at(wanted.min(bytes.len()));
            if self.so_far < PREFIX {
                self.prefix[self.so_far..self.so_far + now.len()].copy_from_slice(now);
            }
            self.so_far += now.len();
            bytes = rest;
            if self.length() == Some(self.so_far) {
                has_arrived = true;
                *self = Self::default();
            }
        }
        has_arrived
    }

    /// With its prefix; `None` as long as that is not there.
    fn length(&self) -> Option<usize> {
        let [_, length @ ..] = self.prefix;
        (self.so_far >= PREFIX).then(|| PREFIX.saturating_add(u32::from_be_bytes(length) as usize))
    }
}
