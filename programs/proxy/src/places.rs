//! How many may be served at once: a number that may change while they are.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one listener. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    free: Arc<Semaphore>,
    size: Mutex<Size>,
}

#[derive(Debug)]
struct Size {
    places: usize,
    /// Places that no longer exist, and that somebody still has.
    owed: usize,
}

/// One place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    places: Places,
}

impl Places {
    pub(crate) fn new(places: usize) -> Self {
        let places = places.min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(places));
        Self(Arc::new(Inner { free, size: Mutex::new(Size { places, owed: 0 }) }))
    }

    /// Resolves when there is a place. May be dropped while waiting.
    pub(crate) async fn take(&self) -> Place {
        // Never closed: an error, were there one, would only lift the limit.
        let permit = Arc::clone(&self.0.free).acquire_owned().await.ok();
        Place { permit, places: self.clone() }
    }

    pub(crate) fn are_taken(&self) -> bool {
        self.0.free.available_permits() == 0
    }

    /// From now on so many. Who has a place keeps it, even if that is more than there are.
    pub(crate) fn resize(&self, places: usize) {
        let places = places.min(Semaphore::MAX_PERMITS);
        let mut size = self.size();
        if let Some(fewer) = size.places.checked_sub(places) {
            size.owed += fewer - self.0.free.forget_permits(fewer);
        } else {
            let more = places - size.places;
            let paid = more.min(size.owed);
            size.owed -= paid;
            self.0.free.add_permits(more - paid);
        }
        size.places = places;
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        // No code that could panic half-way runs under the lock.
        self.0.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut size = self.places.size();
        if size.owed > 0 {
            size.owed -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}
