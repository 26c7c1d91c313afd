//! How many may be served at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one listener. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Semaphore>);

/// One place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
    }

    /// Resolves when there is a place. May be dropped while waiting.
    pub(crate) async fn take(&self) -> Place {
        // Never closed: an error, were there one, would only lift the limit.
        Place { _permit: Arc::clone(&self.0).acquire_owned().await.ok() }
    }
}
