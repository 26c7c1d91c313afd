//! Whom a change concerns: the agents that may serve something else than before.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use finial_identity::{Entry, EntryId, Node, SpiffeId};
use finial_store::{ChangeKind, Snapshot};

use crate::scope::{SPIFFE_ID, selectors_of};

/// The agents whose [`authorized_entries`](crate::authorized_entries), or bundles, may differ between two snapshots.
///
/// It can name too many, never too few: an entry that has expired is followed like any other.
#[derive(Debug)]
pub enum Concern {
    /// All agents: a bundle changed, or it is not known what did.
    Everyone,
    /// The agents that some entry or node leads to.
    Agents(Concerned),
}

/// The agents that a change of entries and nodes concerns.
#[derive(Debug)]
pub struct Concerned {
    snapshots: [Arc<Snapshot>; 2],
    /// Every parent above what changed; agents are among them.
    ids: HashSet<SpiffeId>,
    /// The node aliases above what changed whose nodes are known by their selectors only.
    aliases: HashSet<EntryId>,
}

impl Concern {
    /// What lies between an earlier and a later snapshot of one index. Costs a look-up for each parent above what
    /// changed, however many agents there are.
    pub fn between(earlier: &Arc<Snapshot>, later: &Arc<Snapshot>) -> Self {
        let Some(changes) = later.changes_since(earlier) else { return Self::Everyone };
        let snapshots = [Arc::clone(earlier), Arc::clone(later)];
        let mut concerned = Concerned { snapshots, ids: HashSet::new(), aliases: HashSet::new() };
        for change in changes {
            match change.kind {
                ChangeKind::Bundle => return Self::Everyone,
                ChangeKind::Entry => {
                    let Ok(id) = EntryId::new(&change.key) else { return Self::Everyone };
                    for snapshot in [earlier, later] {
                        concerned.walk_up(snapshot.entry(&id), snapshot);
                    }
                }
                ChangeKind::Node => {
                    let Ok(id) = SpiffeId::parse(&change.key) else { return Self::Everyone };
                    if is_another(earlier.node(&id), later.node(&id)) {
                        concerned.ids.insert(id);
                    }
                }
            }
        }
        Self::Agents(concerned)
    }
}

impl Concerned {
    /// The SPIFFE IDs above what changed: the agents among them are concerned.
    pub fn ids(&self) -> impl Iterator<Item = &SpiffeId> {
        self.ids.iter()
    }

    /// Whether further agents are concerned because of selectors of their nodes; [`has_alias`](Self::has_alias) knows
    /// them.
    #[must_use]
    pub fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Whether this node is concerned because of its selectors.
    #[must_use]
    pub fn has_alias(&self, node: &Node) -> bool {
        let selectors = selectors_of(node);
        let concerned = |alias: &Arc<Entry>| self.aliases.contains(&alias.id);
        self.snapshots.iter().any(|snapshot| snapshot.aliases_matching(&selectors).any(concerned))
    }

    /// From an entry up through its parents to the agents and aliases it hangs below.
    fn walk_up(&mut self, entry: Option<&Arc<Entry>>, snapshot: &Snapshot) {
        let mut walked = HashSet::new();
        let mut upwards: Vec<&Arc<Entry>> = entry.into_iter().collect();
        while let Some(entry) = upwards.pop() {
            if entry.parent_id == entry.parent_id.trust_domain().server_id() {
                self.add_alias(entry);
            } else if walked.insert(&entry.parent_id) {
                self.ids.insert(entry.parent_id.clone());
                upwards.extend(snapshot.entries_by_spiffe_id(&entry.parent_id));
            }
        }
    }

    fn add_alias(&mut self, alias: &Entry) {
        let named = alias.selectors.iter().find(|selector| selector.kind() == SPIFFE_ID);
        match named.and_then(|selector| SpiffeId::parse(selector.value()).ok()) {
            Some(agent) => self.ids.insert(agent),
            None => self.aliases.insert(alias.id.clone()),
        };
    }
}

/// Whether two states of a node differ in what it may serve. A newer serial number, as after each renewal, changes
/// nothing of that.
fn is_another(earlier: Option<&Arc<Node>>, later: Option<&Arc<Node>>) -> bool {
    match (earlier, later) {
        (Some(earlier), Some(later)) => {
            earlier.selectors != later.selectors || earlier.is_banned() != later.is_banned()
        }
        (None, None) => false,
        _ => true,
    }
}
