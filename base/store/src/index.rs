//! The copy of entries, nodes and bundles in memory, kept current by one task that follows the change log.

mod aliases;
mod follow;
mod recent;
mod snapshot;
mod sorted;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use finial_daemon::{Clock, Tasks};
use tokio::sync::watch;

pub use self::snapshot::Snapshot;
use crate::{DataStore, Revision, StoreError};

/// Reads the newest snapshot, and waits for newer ones. Clones follow the same store.
///
/// While the store fails, the last snapshot stays; a snapshot is never followed by one of an older revision.
#[derive(Clone, Debug)]
pub struct Index {
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// The index has ended with its program's tasks, before it held what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index of the datastore has stopped")]
pub struct Stopped;

impl Index {
    /// Reads the whole store, then follows its changes in a task that ends when `tasks` drain.
    ///
    /// # Errors
    /// The store's, when it cannot be read now: there is nothing to serve yet.
    pub async fn start(store: Arc<dyn DataStore>, clock: &Clock, tasks: &Tasks) -> Result<Self, StoreError> {
        let snapshot = follow::load(&*store).await?;
        let (publish, snapshots) = watch::channel(Arc::new(snapshot.clone()));
        let (clock, drain) = (clock.clone(), tasks.drain());
        tasks.spawn("index", async move {
            tokio::select! {
                () = drain.requested() => {}
                () = follow::follow(&*store, snapshot, &publish, &clock) => {}
            }
        });
        Ok(Self { snapshots })
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Every snapshot from now on; a slow reader sees only the newest.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Waits for the snapshot that holds `revision`, or a newer one. As long as the store fails this can take: bound it.
    ///
    /// # Errors
    /// [`Stopped`] when the index ended before.
    pub async fn reached(&self, revision: Revision) -> Result<Arc<Snapshot>, Stopped> {
        let mut snapshots = self.snapshots.clone();
        let reached = snapshots.wait_for(|snapshot| snapshot.revision() >= revision).await;
        reached.map(|snapshot| Arc::clone(&snapshot)).map_err(|_| Stopped)
    }
}
