//! Node aliases, found by the selectors of a node without a look at all of them.

use std::sync::Arc;

use finial_identity::{Entry, Selector, SelectorSet};
use rpds::HashTrieMapSync;

use super::snapshot::{ById, EntrySet};

/// Each alias is filed under one of its selectors: a node that matches has that one too.
#[derive(Clone, Debug, Default)]
pub(super) struct Aliases(HashTrieMapSync<Selector, EntrySet>);

impl Aliases {
    /// Files the alias under the selector that has the fewest so far: one that all nodes share (a cluster's name) would
    /// collect everything.
    pub(super) fn insert(&mut self, alias: &Arc<Entry>) {
        let filed = |selector: &&Selector| self.0.get(*selector).map_or(0, EntrySet::len);
        let Some(selector) = alias.selectors.iter().min_by_key(filed).cloned() else { return };
        let mut file = self.0.get(&selector).cloned().unwrap_or_default();
        file.insert(ById(Arc::clone(alias)));
        self.0.insert_mut(selector, file);
    }

    pub(super) fn remove(&mut self, alias: &Entry) {
        for selector in alias.selectors.iter() {
            let Some(file) = self.0.get_mut(selector) else { continue };
            if file.remove(|item| item.0.id.cmp(&alias.id)).is_some() {
                if file.is_empty() {
                    self.0.remove_mut(selector);
                }
                return;
            }
        }
    }

    /// The aliases whose selectors are all among `selectors`.
    pub(super) fn matching(&self, selectors: &SelectorSet) -> impl Iterator<Item = &Arc<Entry>> {
        let filed = selectors.iter().filter_map(|selector| self.0.get(selector));
        filed
            .flat_map(|file| file.iter())
            .map(|ById(alias)| alias)
            .filter(|alias| alias.selectors.is_subset_of(selectors))
    }
}
