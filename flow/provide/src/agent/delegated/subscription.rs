//! One open stream of a delegate: waits until something changes, looks at everybody again, and says what.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use finial_identity::Entry;
use tokio::sync::watch;
use tonic::Status;

use super::principal::{Delegate, Workload};
use super::views::View;
use crate::agent::cache::Cache;
use crate::agent::catalog::EntryCatalog;
use crate::agent::readers::Reading;
use crate::agent::snapshot::AgentSnapshot;

/// How long a delegate waits for SVIDs that are still to be issued; then it is told of those that are there.
const PATIENCE: Duration = Duration::from_secs(30);

/// A delegate, the workload it asks for, and what it was told last.
#[derive(Debug)]
pub(super) struct Subscription<V> {
    cache: Cache,
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
    clock: Clock,
    delegate: Delegate,
    /// Whose identities it is about, if it is about identities.
    workload: Option<Workload>,
    /// Worked out once for each catalog, and again when one of the two became another.
    entries: Option<(Arc<EntryCatalog>, Vec<Arc<Entry>>)>,
    /// Keeps the workload's SVIDs in the cache.
    reading: Option<Reading>,
    sent: Option<V>,
}

impl<V: View> Subscription<V> {
    pub(super) fn new(cache: Cache, clock: Clock, delegate: Delegate, workload: Option<Workload>) -> Self {
        let snapshots = cache.subscribe();
        Self { cache, snapshots, clock, delegate, workload, entries: None, reading: None, sent: None }
    }

    /// The next message: at once for the first, later when the view differs from the one sent last.
    ///
    /// # Errors
    /// `PermissionDenied` when the caller is no delegate (any more), `NotFound` when the process it asks for has ended,
    /// `Unavailable` when the agent stops.
    pub(super) async fn next(&mut self) -> Result<V::Message, Status> {
        let mut gives_up_at = None;
        let mut is_late = false;
        if self.sent.is_some() {
            // A reader that takes its time may come back long after the last answer.
            self.grow_stale();
        }
        loop {
            let snapshot = self.snapshot()?;
            let view = V::of(self.entries(&snapshot)?, &snapshot);
            let is_fit = view.is_full() || is_late || self.sent.is_some();
            if is_fit && self.sent.as_ref() != Some(&view) {
                if !self.confirm().await? {
                    self.entries = None;
                    continue;
                }
                // What was taken away while they were looked at is not told any more.
                if self.snapshots.has_changed().unwrap_or_default() {
                    continue;
                }
                return Ok(self.sent.insert(view).message());
            }
            self.grow_stale();
            if view.is_full() || is_late {
                self.changed().await?;
                continue;
            }
            self.cache.miss();
            let gives_up_at = *gives_up_at.get_or_insert(self.clock.monotonic() + PATIENCE);
            is_late = self.changed_before(gives_up_at).await?;
        }
    }

    /// What the agent holds. What this stream is about has a reader by then.
    fn snapshot(&mut self) -> Result<Arc<AgentSnapshot>, Status> {
        loop {
            let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
            let known = self.entries.as_ref();
            if known.is_some_and(|(known, _)| Arc::ptr_eq(known, snapshot.entries())) {
                return Ok(snapshot);
            }
            let ids: Vec<_> = self.entries(&snapshot)?.iter().map(|entry| entry.id.clone()).collect();
            self.reading = Some(self.cache.read(ids));
        }
    }

    /// The workload's entries; the proof that the caller may have them is asked for with each catalog.
    fn entries(&mut self, snapshot: &AgentSnapshot) -> Result<&[Arc<Entry>], Status> {
        let catalog = snapshot.entries();
        let known = self.entries.take().filter(|(known, _)| Arc::ptr_eq(known, catalog));
        let current = match known {
            Some(known) => known,
            None => {
                let delegation = self.delegate.authorize(catalog)?;
                let workload = self.workload.as_ref();
                let entries = workload.map(|workload| workload.entries(&delegation, catalog));
                (Arc::clone(catalog), entries.unwrap_or_default())
            }
        };
        Ok(&self.entries.insert(current).1)
    }

    fn grow_stale(&mut self) {
        self.delegate.grow_stale();
        self.workload.iter_mut().for_each(Workload::grow_stale);
    }

    /// Whether delegate and workload are still what they were taken for.
    async fn confirm(&mut self) -> Result<bool, Status> {
        let is_delegate_same = self.delegate.confirm().await?;
        let is_workload_same = match &mut self.workload {
            Some(workload) => workload.confirm().await?,
            None => true,
        };
        Ok(is_delegate_same && is_workload_same)
    }

    async fn changed(&mut self) -> Result<(), Status> {
        self.snapshots.changed().await.map_err(|_| Status::unavailable("the agent is stopping"))
    }

    /// Waits for a change until then, and tells whether time ran out.
    async fn changed_before(&mut self, gives_up_at: Duration) -> Result<bool, Status> {
        let left = gives_up_at.saturating_sub(self.clock.monotonic());
        let clock = self.clock.clone();
        match clock.timeout(left, self.changed()).await {
            Ok(changed) => changed.map(|()| false),
            Err(_) => Ok(true),
        }
    }
}
