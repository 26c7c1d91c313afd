//! The entries that an agent may serve: what hangs below it, and below the aliases of its node.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{Entry, Node, Selector, SelectorSet, SpiffeId};
use finial_store::Snapshot;

/// All entries that the agent of `node` may serve, by entry id.
///
/// From the agent's SPIFFE ID downwards: the entries with that parent, those whose parent is one of their SPIFFE IDs,
/// and so on. The node's aliases (entries below the server whose selectors the node all has) and what hangs below them
/// count too. An entry that has expired counts no more, nor does what hangs below it alone; a banned agent has none.
pub fn authorized_entries(node: &Node, snapshot: &Snapshot, now: SystemTime) -> Vec<Arc<Entry>> {
    if node.is_banned() {
        return Vec::new();
    }
    let live = |entry: &&Arc<Entry>| !entry.is_expired(now);
    let selectors = selectors_of(node);
    let mut found: Vec<Arc<Entry>> = snapshot.aliases_matching(&selectors).filter(live).cloned().collect();
    let mut parents: Vec<SpiffeId> = found.iter().map(|alias| alias.spiffe_id.clone()).collect();
    parents.push(node.id.clone());
    let mut walked = HashSet::new();
    let mut is_sorted = true;
    while let Some(parent) = parents.pop() {
        if !walked.insert(parent.clone()) {
            continue;
        }
        // Most agents have all their entries directly below them, and those come in order.
        is_sorted = found.is_empty();
        found.extend(snapshot.entries_by_parent(&parent).filter(live).cloned());
        parents.extend(
            snapshot.parents_below(&parent).into_iter().filter(live).map(|entry| entry.spiffe_id.clone()),
        );
    }
    if !is_sorted {
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    }
    found
}

/// Whether `entry` is one of the [`authorized_entries`] of `node`: the same walk for one entry, upwards.
pub(crate) fn is_authorized(node: &Node, entry: &Arc<Entry>, snapshot: &Snapshot, now: SystemTime) -> bool {
    if node.is_banned() {
        return false;
    }
    let server = node.id.trust_domain().server_id();
    let mut upwards = vec![entry];
    let mut walked = HashSet::new();
    while let Some(entry) = upwards.pop() {
        if entry.is_expired(now) {
            continue;
        }
        if entry.parent_id == node.id || (entry.parent_id == server && is_alias_of(node, entry)) {
            return true;
        }
        if walked.insert(&entry.parent_id) {
            upwards.extend(snapshot.entries_by_spiffe_id(&entry.parent_id));
        }
    }
    false
}

fn is_alias_of(node: &Node, entry: &Entry) -> bool {
    let has = |selector: &Selector| {
        node.selectors.contains(selector)
            || (selector.kind() == SPIFFE_ID && selector.value() == node.id.as_str())
    };
    !entry.selectors.is_empty() && entry.selectors.iter().all(has)
}

pub(crate) fn selectors_of(node: &Node) -> SelectorSet {
    let mut selectors = node.selectors.clone();
    selectors.extend(Selector::new(SPIFFE_ID, node.id.as_str()));
    selectors
}

/// The type of the selector that every node has without an attestor: `spiffe_id:<the agent's SPIFFE ID>`.
pub(crate) const SPIFFE_ID: &str = "spiffe_id";
