//! The caller of one stream: what it may have now, and when that may have changed.

use std::sync::Arc;

use finial_identity::EntryId;
use tokio::sync::watch;
use tonic::Status;

use super::offer::Offer;
use crate::agent::cache::Cache;
use crate::agent::catalog::EntryCatalog;
use crate::agent::readers::Reading;
use crate::agent::snapshot::AgentSnapshot;
use crate::agent::workload_api::caller::Caller;
use crate::agent::workload_api::entitlement::Entitlement;
use crate::agent::workload_api::limits::StreamPlace;

#[derive(Debug)]
pub(super) struct Holder {
    cache: Cache,
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
    caller: Caller,
    /// Worked out once for each catalog, not for each snapshot.
    entitlement: Option<(Arc<EntryCatalog>, Entitlement)>,
    /// Keeps the SVIDs that this stream is about in the cache.
    reading: Option<(Vec<EntryId>, Reading)>,
    _place: StreamPlace,
}

impl Holder {
    pub(super) fn new(cache: Cache, caller: Caller, place: StreamPlace) -> Self {
        let snapshots = cache.subscribe();
        Self { cache, snapshots, caller, entitlement: None, reading: None, _place: place }
    }

    /// The process id of the caller, for the log.
    pub(super) fn pid(&self) -> i32 {
        self.caller.process().pid()
    }

    /// What the caller may have now.
    ///
    /// # Errors
    /// PermissionDenied when it may have nothing.
    pub(super) fn offer(&mut self) -> Result<Offer, Status> {
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        let catalog = snapshot.entries();
        let known = self.entitlement.take().filter(|(known, _)| Arc::ptr_eq(known, catalog));
        let current = match known {
            Some(known) => known,
            None => (Arc::clone(catalog), Entitlement::of(&self.caller, catalog)?),
        };
        Ok(Offer::of(&self.entitlement.insert(current).1, &snapshot))
    }

    /// Makes sure that the caller is who it was. `false` when it is another: the offer must be worked out again.
    pub(super) async fn confirm(&mut self) -> Result<bool, Status> {
        let is_same = self.caller.confirm().await?;
        if !is_same {
            self.entitlement = None;
        }
        Ok(is_same)
    }

    /// Whether every attestor has answered about the caller.
    pub(super) fn is_fully_known(&self) -> bool {
        self.caller.is_fully_known()
    }

    /// Time passes: the caller must be looked at again.
    pub(super) fn grow_stale(&mut self) {
        self.caller.grow_stale();
    }

    /// Keeps these SVIDs in the cache from now on. `false` when it already did; else one may have come or gone since the
    /// offer was made.
    pub(super) fn read(&mut self, svids: &[EntryId]) -> bool {
        if self.reading.as_ref().map_or(&[][..], |(read, _)| read) == svids {
            return false;
        }
        self.reading = Some((svids.to_vec(), self.cache.read(svids.iter().cloned())));
        true
    }

    /// Has those of them issued that are not there.
    pub(super) fn miss(&self) {
        self.cache.miss();
    }

    /// Whether the offer may have changed since it was made.
    pub(super) fn has_changed(&self) -> bool {
        self.snapshots.has_changed().unwrap_or_default()
    }

    /// The offer may have changed.
    pub(super) async fn changed(&mut self) -> Result<(), Status> {
        self.snapshots.changed().await.map_err(|_| Status::unavailable("the agent is stopping"))
    }
}
