//! The entries that describe an attested process.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use finial_attest::AttestedProcess;
use finial_identity::Entry;

/// The entries out of `entries` whose selectors the process all has, by entry id.
///
/// Of several with the same hint only one is handed out, so that a hint names one identity: the oldest, and of those
/// with the lowest id (hints are unique in a response: SPIFFE Workload API §5.2.1). Entries without a hint all count. An entry whose
/// SVID goes into a store (`store_svid`) is nobody's on the Workload API, and one without selectors describes nobody.
pub fn matching_entries(
    process: &AttestedProcess,
    entries: impl IntoIterator<Item = Arc<Entry>>,
) -> Vec<Arc<Entry>> {
    let describes = |entry: &Arc<Entry>| {
        !entry.store_svid && !entry.selectors.is_empty() && entry.selectors.is_subset_of(process.selectors())
    };
    let mut matching: Vec<_> = entries.into_iter().filter(describes).collect();
    matching.sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let mut hints = HashSet::new();
    matching.retain(|entry| entry.hint.is_empty() || hints.insert(entry.hint.clone()));
    matching.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    matching
}
