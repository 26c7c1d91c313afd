//! One open stream: waits until something changes for its caller, and says what.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use tokio::sync::watch;
use tonic::Status;

use super::caller::{Caller, Change};
use super::entitlement::Entitlement;
use super::views::{Extent, View};
use crate::agent::cache::Cache;
use crate::agent::catalog::EntryCatalog;
use crate::agent::readers::Reading;
use crate::agent::snapshot::AgentSnapshot;

/// How long a caller waits for SVIDs that are still to be issued.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a caller is looked at again that could not be fully recognized.
pub(in crate::agent) const RECOGNITION: Duration = Duration::from_secs(30);

/// A caller, what it is entitled to, and what it was told last.
#[derive(Debug)]
pub(super) struct Subscription<V> {
    cache: Cache,
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
    clock: Clock,
    caller: Caller,
    /// Whether the caller may have the view without any identity.
    nobody_too: bool,
    /// Worked out once for each catalog, not for each snapshot.
    entitlement: Option<(Arc<EntryCatalog>, Entitlement)>,
    /// Keeps the SVIDs of the entitlement in the cache.
    reading: Option<Reading>,
    sent: Option<V>,
}

impl<V: View> Subscription<V> {
    pub(super) fn new(cache: Cache, clock: Clock, caller: Caller, nobody_too: bool) -> Self {
        let snapshots = cache.subscribe();
        Self { cache, snapshots, clock, caller, nobody_too, entitlement: None, reading: None, sent: None }
    }

    /// The next message: at once for the first, later when the view differs from the one sent last.
    ///
    /// # Errors
    /// `PermissionDenied` when the caller is entitled to nothing (any more), `Unavailable` when its SVIDs do not
    /// come, it cannot be recognized, or the agent stops.
    pub(super) async fn next(&mut self) -> Result<V::Message, Status> {
        let mut gives_up_at = None;
        let mut is_late = false;
        if self.sent.is_some() {
            // A reader that takes its time may come back long after the last answer.
            self.caller.grow_stale();
        }
        loop {
            let snapshot = self.snapshot();
            let view = self.entitlement(&snapshot).map(|entitlement| V::of(entitlement, &snapshot));
            if self.is_news(&view, is_late) {
                let change = Change { revision: snapshot.revision(), at: self.clock.monotonic() };
                if !self.caller.confirm_together(change).await? {
                    self.entitlement = None;
                    continue;
                }
                // What was taken away while the caller was looked at is not told any more.
                if self.snapshots.has_changed().unwrap_or_default() {
                    continue;
                }
                return Ok(self.sent.insert(view?).message());
            }
            self.caller.grow_stale();
            let extent = view.map_or(Extent::Full, |view| view.extent());
            if extent == Extent::Full {
                self.rest().await?;
                continue;
            }
            if is_late && extent == Extent::Nothing {
                return Err(Status::unavailable("the X.509-SVIDs of this workload have not been issued yet"));
            }
            self.cache.miss();
            let gives_up_at = *gives_up_at.get_or_insert(self.clock.monotonic() + PATIENCE);
            is_late = self.changed_before(gives_up_at).await?;
        }
    }

    /// Whether the caller must hear of this: a refusal, or a view that differs. The first waits to be full while
    /// there is patience; later ones take away at once what is gone.
    fn is_news(&self, view: &Result<V, Status>, is_late: bool) -> bool {
        let Ok(view) = view else { return true };
        let is_fit = match view.extent() {
            Extent::Full => true,
            Extent::Partial => is_late || self.sent.is_some(),
            Extent::Nothing => false,
        };
        is_fit && self.sent.as_ref() != Some(view)
    }

    /// What the agent holds. What this stream is entitled to has a reader by then: it does not lose its place between
    /// the look at it and the answer.
    fn snapshot(&mut self) -> Arc<AgentSnapshot> {
        loop {
            let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
            let known = self.entitlement.as_ref();
            if !V::HAS_SVIDS || known.is_some_and(|(known, _)| Arc::ptr_eq(known, snapshot.entries())) {
                return snapshot;
            }
            let Ok(entitlement) = self.entitlement(&snapshot) else { return snapshot };
            let entries: Vec<_> = entitlement.entries().iter().map(|entry| entry.id.clone()).collect();
            self.reading = Some(self.cache.read(entries));
        }
    }

    fn entitlement(&mut self, snapshot: &AgentSnapshot) -> Result<&Entitlement, Status> {
        let catalog = snapshot.entries();
        let known = self.entitlement.take().filter(|(known, _)| Arc::ptr_eq(known, catalog));
        let current = match known {
            Some(known) => known,
            None => {
                let entitlement = match Entitlement::of(&self.caller, catalog) {
                    Err(_) if self.nobody_too => Entitlement::of_nobody(),
                    entitlement => entitlement?,
                };
                (Arc::clone(catalog), entitlement)
            }
        };
        Ok(&self.entitlement.insert(current).1)
    }

    /// Waits for a change. A caller that could not be fully recognized is looked at again now and then: it may be entitled
    /// to more.
    async fn rest(&mut self) -> Result<(), Status> {
        if self.caller.is_fully_known() {
            return self.changed().await;
        }
        let until = self.clock.monotonic() + RECOGNITION;
        let is_over = self.changed_before(until).await?;
        if is_over && !self.caller.confirm().await? {
            self.entitlement = None;
        }
        Ok(())
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
