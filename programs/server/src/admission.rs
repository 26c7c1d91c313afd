//! How much of what is expensive goes on in the whole server at a time, and how much may wait for it.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, jitter};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::Status;

use crate::status;

/// Longest wait for a place; who waits longer is refused.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// After what time those who are refused come back, more or less, so that they do not come together.
const COME_BACK: Duration = Duration::from_secs(3);

/// A number of places, first come, first served, and a bounded queue for them. What exceeds the queue is refused at once, with
/// a hint when to come back: nothing that was taken in is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    /// What the places are for.
    what: &'static str,
    size: u32,
    places: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    clock: Clock,
}

/// Some of the places, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _places: SemaphorePermit<'a>,
}

/// A part of the queue.
struct Waiting<'a> {
    admission: &'a Admission,
    weight: usize,
}

impl Admission {
    pub(crate) fn new(what: &'static str, size: u32, most_waiting: usize, clock: &Clock) -> Self {
        let places = Semaphore::new(size as usize);
        Self { what, size, places, waiting: AtomicUsize::new(0), most_waiting, clock: clock.clone() }
    }

    /// Waits for so many places; for all of them, when there are fewer.
    ///
    /// # Errors
    /// ResourceExhausted when the queue is full, or it takes too long.
    pub(crate) async fn enter(&self, weight: usize) -> Result<Turn<'_>, Status> {
        let places = u32::try_from(weight).unwrap_or(u32::MAX).min(self.size);
        if let Ok(places) = self.places.try_acquire_many(places) {
            return Ok(Turn { _places: places });
        }
        let _waiting = Waiting::begin(self, weight).ok_or_else(|| self.refusal())?;
        match self.clock.timeout(MAX_WAIT, self.places.acquire_many(places)).await {
            Ok(Ok(places)) => Ok(Turn { _places: places }),
            Ok(Err(_)) | Err(_) => Err(self.refusal()),
        }
    }

    fn refusal(&self) -> Status {
        status::busy(self.what, jitter(COME_BACK, 0.5))
    }
}

impl<'a> Waiting<'a> {
    fn begin(admission: &'a Admission, weight: usize) -> Option<Self> {
        let before = admission.waiting.fetch_add(weight, Ordering::Relaxed);
        let waiting = Self { admission, weight };
        // One that is too many leaves the queue again.
        (before + weight <= admission.most_waiting).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.admission.waiting.fetch_sub(self.weight, Ordering::Relaxed);
    }
}
