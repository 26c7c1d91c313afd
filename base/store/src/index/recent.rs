//! The newest changes, kept in memory, so that readers of two snapshots need not compare them whole.

use std::sync::Arc;

use rpds::QueueSync;

use crate::{Change, Revision};

/// How many changes are kept.
pub(super) const KEPT: usize = 1000;

/// The newest changes of one reading of the store, in order and without gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// Another one each time the whole store is read: revisions of two readings are not to be compared.
    reading: Arc<Reading>,
    /// The revision just before the oldest change that is kept.
    from: Revision,
    changes: QueueSync<Arc<Change>>,
}

/// Told apart by where it is. Not empty: what has no size may share its place.
#[derive(Debug, Default)]
struct Reading(#[expect(dead_code, reason = "gives it a place of its own")] u8);

impl Recent {
    pub(super) fn begin(revision: Revision) -> Self {
        Self { from: revision, ..Self::default() }
    }

    pub(super) fn note(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.changes.enqueue_mut(Arc::new(change));
        }
        while self.changes.len() > KEPT {
            let oldest = self.changes.peek().map(|change| change.revision);
            self.from = oldest.unwrap_or(self.from);
            self.changes.dequeue_mut();
        }
    }

    /// The changes after `revision`, which `earlier` had come to; `None` when they are not all here.
    pub(super) fn since(&self, earlier: &Self, revision: Revision) -> Option<impl Iterator<Item = &Change>> {
        let known = Arc::ptr_eq(&self.reading, &earlier.reading) && self.from <= revision;
        let after = move |change: &&Change| change.revision > revision;
        known.then(|| self.changes.iter().map(|change| &**change).filter(after))
    }
}
