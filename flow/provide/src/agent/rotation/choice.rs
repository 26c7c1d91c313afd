//! Which entries have an X.509-SVID kept for them, when there are more entries than places.

use std::cmp::Reverse;
use std::collections::HashSet;

use finial_identity::{Entry, EntryId};

use crate::agent::catalog::EntryCatalog;
use crate::agent::readers::Uses;

/// The entries that are served, and so have a place in the cache.
#[derive(Debug)]
pub(super) struct Choice {
    most: usize,
    chosen: HashSet<EntryId>,
}

impl Choice {
    /// Nothing yet, and at most so many later; those with readers aside.
    pub(super) fn new(most: usize) -> Self {
        Self { most, chosen: HashSet::new() }
    }

    pub(super) fn has(&self, entry: &EntryId) -> bool {
        self.chosen.contains(entry)
    }

    /// Chooses again: what has readers; then what was used last; then what is held; then whatever may be fetched before
    /// anybody asks.
    pub(super) fn update(&mut self, catalog: &EntryCatalog, uses: &Uses, is_held: impl Fn(&EntryId) -> bool) {
        let mut ranked: Vec<_> = catalog
            .iter()
            .filter(|entry| is_eligible(entry, uses))
            .map(|entry| {
                (uses.is_read(&entry.id), uses.last_use(&entry.id), is_held(&entry.id), Reverse(&entry.id))
            })
            .collect();
        if ranked.len() > self.most {
            ranked.sort_unstable_by(|one, other| other.cmp(one));
            let read = ranked.iter().take_while(|(is_read, ..)| *is_read).count();
            ranked.truncate(self.most.max(read));
        }
        self.chosen = ranked.into_iter().map(|(.., Reverse(id))| id.clone()).collect();
    }
}

/// An entry without prefetch waits for its first use.
fn is_eligible(entry: &Entry, uses: &Uses) -> bool {
    !entry.store_svid && (!entry.x509_svid_prefetch_disabled || uses.last_use(&entry.id) > 0)
}
