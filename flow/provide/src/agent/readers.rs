//! Who reads which X.509-SVIDs: what has a reader stays in the cache, and what had one last is the last to go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finial_identity::EntryId;
use tokio::sync::Notify;

/// The readers of an agent's X.509-SVIDs. A short lock guards the table, never across a wait.
#[derive(Debug, Default)]
pub(super) struct Readers {
    uses: Mutex<Uses>,
    missed: Notify,
}

/// How entries are used, as far as they are.
#[derive(Debug, Default)]
pub(super) struct Uses {
    by_entry: HashMap<EntryId, Use>,
    /// Grows with each use: an order, no time.
    latest: u64,
}

#[derive(Debug, Default)]
struct Use {
    readers: usize,
    last: u64,
}

/// Held by whoever is handed the SVIDs of these entries.
#[derive(Debug)]
pub(super) struct Reading {
    readers: Arc<Readers>,
    entries: Vec<EntryId>,
}

impl Readers {
    /// A reader of these entries, until what is returned is dropped.
    pub(super) fn read(self: &Arc<Self>, entries: impl IntoIterator<Item = EntryId>) -> Reading {
        let entries: Vec<EntryId> = entries.into_iter().collect();
        let mut uses = self.uses();
        for entry in &entries {
            uses.touch(entry).readers += 1;
        }
        drop(uses);
        Reading { readers: Arc::clone(self), entries }
    }

    /// Tells the owner that somebody reads what is not there.
    pub(super) fn miss(&self) {
        self.missed.notify_one();
    }

    /// Resolves when something was missed since this was last asked.
    pub(super) async fn missed(&self) {
        self.missed.notified().await;
    }

    /// The table, locked: nobody becomes a reader meanwhile.
    pub(super) fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uses {
    /// Whether anybody reads the entry's SVID now.
    pub(super) fn is_read(&self, entry: &EntryId) -> bool {
        self.by_entry.get(entry).is_some_and(|found| found.readers > 0)
    }

    /// When the entry was used last, among all entries; 0 when it never was.
    pub(super) fn last_use(&self, entry: &EntryId) -> u64 {
        self.by_entry.get(entry).map_or(0, |found| found.last)
    }

    /// Forgets the entries without a reader that are not to be kept.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&EntryId) -> bool) {
        self.by_entry.retain(|entry, found| found.readers > 0 || is_kept(entry));
    }

    fn touch(&mut self, entry: &EntryId) -> &mut Use {
        self.latest += 1;
        let found = self.by_entry.entry(entry.clone()).or_default();
        found.last = self.latest;
        found
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut uses = self.readers.uses();
        for entry in &self.entries {
            let found = uses.touch(entry);
            found.readers = found.readers.saturating_sub(1);
        }
    }
}
