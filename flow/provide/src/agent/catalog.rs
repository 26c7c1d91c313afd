//! The entries an agent is authorized for, indexed so that a process meets only the few it could match.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use finial_identity::{Entry, EntryId, Selector, SelectorSet, TrustDomain};
use finial_wire::client::SyncedEntries;

use super::upstream::Known;

/// Entries by ID, and by one of their selectors.
///
/// An entry matches a process that has all of its selectors, so it is enough to look it up by one of them. The
/// rarest is taken: among ten thousand entries that all say `unix:uid:1000`, the path tells them apart.
#[derive(Debug, Default)]
pub struct EntryCatalog {
    entries: BTreeMap<EntryId, Arc<Entry>>,
    by_rarest_selector: HashMap<Selector, Vec<Arc<Entry>>>,
    known: Known,
    federates_with: BTreeSet<TrustDomain>,
}

impl EntryCatalog {
    /// The entry with this ID.
    pub fn entry(&self, id: &EntryId) -> Option<&Arc<Entry>> {
        self.entries.get(id)
    }

    /// All entries, by ID.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries that a process with these selectors could match; all that it does match are among them.
    ///
    /// Entries whose SVID is stored rather than handed to a process are left out.
    pub fn candidates<'a>(&'a self, selectors: &'a SelectorSet) -> impl Iterator<Item = &'a Arc<Entry>> {
        selectors.iter().filter_map(|selector| self.by_rarest_selector.get(selector)).flatten()
    }

    /// What to tell the server that this agent has.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// The trust domains that any entry federates with.
    pub(super) fn federates_with(&self) -> &BTreeSet<TrustDomain> {
        &self.federates_with
    }

    /// The catalog after a sync; `None` when the sync brought nothing new.
    pub(super) fn merged(&self, synced: SyncedEntries) -> Option<Self> {
        let kept = self.entries.values().filter(|entry| synced.unchanged.contains(&entry.id)).cloned();
        let kept: Vec<Arc<Entry>> = kept.collect();
        if synced.changed.is_empty() && kept.len() == self.entries.len() {
            return None;
        }
        // Later ones replace earlier ones of the same ID.
        Some(kept.into_iter().chain(synced.changed.into_iter().map(Arc::new)).collect())
    }
}

impl FromIterator<Arc<Entry>> for EntryCatalog {
    fn from_iter<I: IntoIterator<Item = Arc<Entry>>>(entries: I) -> Self {
        let entries: BTreeMap<EntryId, Arc<Entry>> =
            entries.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        let revision = |entry: &Entry| (entry.revision_number, entry.created_at);
        Self {
            by_rarest_selector: index(&entries),
            known: entries.iter().map(|(id, entry)| (id.clone(), revision(entry))).collect(),
            federates_with: entries.values().flat_map(|entry| entry.federates_with.iter().cloned()).collect(),
            entries,
        }
    }
}

fn index(entries: &BTreeMap<EntryId, Arc<Entry>>) -> HashMap<Selector, Vec<Arc<Entry>>> {
    let served = || entries.values().filter(|entry| !entry.store_svid);
    let mut uses: HashMap<&Selector, usize> = HashMap::new();
    for selector in served().flat_map(|entry| entry.selectors.iter()) {
        *uses.entry(selector).or_default() += 1;
    }
    let mut index: HashMap<Selector, Vec<Arc<Entry>>> = HashMap::new();
    for entry in served() {
        // An entry without selectors cannot exist, and would match nobody here.
        if let Some(rarest) = entry.selectors.iter().min_by_key(|selector| uses[selector]) {
            index.entry(rarest.clone()).or_default().push(Arc::clone(entry));
        }
    }
    index
}

#[cfg(test)]
mod tests;
