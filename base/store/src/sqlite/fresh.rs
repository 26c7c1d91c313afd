//! Entries that were created a moment ago: who follows the changes need not read back from the file what this process wrote.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use finial_identity::{Entry, EntryId};

use super::columns::{from_instant, to_instant};

/// So many are kept; further ones are read from the file.
const LIMIT: usize = 4096;

/// What the newest commits created, for as long as they did nothing else. Each entry is given out once.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<HashMap<EntryId, Entry>>);

impl Fresh {
    /// Notes what the writes of one commit created, each its entries, or that one of them did something else: then
    /// whatever is here may have changed, and is forgotten. Call it before anybody is told of the commit.
    pub(super) fn note(&self, created: impl IntoIterator<Item = Option<Vec<Entry>>>) {
        let created: Option<Vec<Vec<Entry>>> = created.into_iter().collect();
        let mut fresh = self.lock();
        match created {
            Some(created) => {
                let room = LIMIT.saturating_sub(fresh.len());
                let entries = created.into_iter().flatten().filter_map(as_stored).take(room);
                fresh.extend(entries.map(|entry| (entry.id.clone(), entry)));
            }
            None => *fresh = HashMap::new(),
        }
    }

    /// Takes those of these entries that are here, and leaves the others' IDs.
    pub(super) fn take(&self, ids: &[EntryId]) -> (Vec<Entry>, Vec<EntryId>) {
        let (mut found, mut rest) = (Vec::new(), Vec::new());
        let mut fresh = self.lock();
        for id in ids {
            match fresh.remove(id) {
                Some(entry) => found.push(entry),
                None => rest.push(id.clone()),
            }
        }
        (found, rest)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EntryId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry as its row has it, which counts time in whole seconds.
fn as_stored(mut entry: Entry) -> Option<Entry> {
    let whole = |instant| to_instant(from_instant(instant), "entry").ok();
    entry.created_at = whole(entry.created_at)?;
    let is_whole = entry.expires_at.is_none_or(|end| whole(end) == Some(end))
        && [entry.x509_svid_ttl, entry.jwt_svid_ttl].iter().flatten().all(|ttl| ttl.subsec_nanos() == 0);
    is_whole.then_some(entry)
}
