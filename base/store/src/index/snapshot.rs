//! All entries, nodes and bundles at one revision: immutable, cheap to clone, and cheap to make the next one from.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use finial_identity::{Bundle, BundleSet, Entry, EntryId, Node, SelectorSet, SpiffeId, TrustDomain};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::aliases::Aliases;
use super::recent::Recent;
use crate::{Change, Revision};

/// What the store held at one revision.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    revision: Revision,
    entries: EntrySet,
    by_parent: HashTrieMapSync<SpiffeId, Group>,
    by_spiffe_id: HashTrieMapSync<SpiffeId, Group>,
    aliases: Aliases,
    nodes: RedBlackTreeMapSync<SpiffeId, Arc<Node>>,
    bundles: BundleSet,
    recent: Recent,
}

impl Snapshot {
    /// The revision of the store that this is.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The entry with this id.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&Arc<Entry>> {
        self.entries.get(id).map(|ById(entry)| entry)
    }

    /// All entries, by id.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().map(|ById(entry)| entry)
    }

    /// The entries after `id`, by id.
    pub fn entries_after(&self, id: &EntryId) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.range::<EntryId, _>((Bound::Excluded(id), Bound::Unbounded)).map(|ById(entry)| entry)
    }

    /// How many entries there are.
    #[must_use]
    pub fn entry_count(&self) -> usize {
        self.entries.size()
    }

    /// The entries directly below `parent`, by id.
    pub fn entries_by_parent(&self, parent: &SpiffeId) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_parent.get(parent).into_iter().flat_map(Group::iter)
    }

    /// The entries that give `spiffe_id`, by id.
    pub fn entries_by_spiffe_id(&self, spiffe_id: &SpiffeId) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_spiffe_id.get(spiffe_id).into_iter().flat_map(Group::iter)
    }

    /// The node aliases (entries whose parent is the server) that a node with these selectors has: those whose
    /// selectors are all among them. Costs a look-up a selector, however many aliases there are for other nodes.
    pub fn aliases_matching(&self, selectors: &SelectorSet) -> impl Iterator<Item = &Arc<Entry>> {
        self.aliases.matching(selectors)
    }

    /// The attested node with this SPIFFE ID.
    #[must_use]
    pub fn node(&self, id: &SpiffeId) -> Option<&Arc<Node>> {
        self.nodes.get(id)
    }

    /// All attested nodes, by SPIFFE ID.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// The attested nodes after `id`, by SPIFFE ID.
    pub fn nodes_after(&self, id: &SpiffeId) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.range::<SpiffeId, _>((Bound::Excluded(id), Bound::Unbounded)).map(|(_, node)| node)
    }

    /// How many attested nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.size()
    }

    /// The bundle of a trust domain.
    #[must_use]
    pub fn bundle(&self, trust_domain: &TrustDomain) -> Option<&Arc<Bundle>> {
        self.bundles.bundle(trust_domain)
    }

    /// All bundles.
    #[must_use]
    pub fn bundles(&self) -> &BundleSet {
        &self.bundles
    }

    /// What has changed since an earlier snapshot, oldest first. `None` when that is not known: the store was read
    /// anew in between, or more changed than is kept (the newest 1000).
    pub fn changes_since(&self, earlier: &Self) -> Option<impl Iterator<Item = &Change>> {
        self.recent.since(&earlier.recent, earlier.revision)
    }
}

/// How the follower makes the next snapshot.
impl Snapshot {
    /// The start of a reading of the whole store, which is at this revision.
    pub(super) fn begin(revision: Revision) -> Self {
        Self { revision, recent: Recent::begin(revision), ..Self::default() }
    }

    /// Takes the revision of the newest of these changes, which were applied.
    pub(super) fn note_changes(&mut self, changes: Vec<Change>) {
        if let Some(newest) = changes.last() {
            self.revision = newest.revision;
            self.recent.note(changes);
        }
    }

    /// Adds or replaces an entry.
    pub(super) fn insert_entry(&mut self, entry: Entry) {
        self.remove_entry(&entry.id);
        let entry = Arc::new(self.share_names(entry));
        if entry.parent_id == entry.parent_id.trust_domain().server_id() {
            self.aliases.insert(&entry);
        }
        join_group(&mut self.by_parent, &entry.parent_id, &entry);
        join_group(&mut self.by_spiffe_id, &entry.spiffe_id, &entry);
        self.entries.insert_mut(ById(entry));
    }

    /// Lets the entry use the texts of its parent and its trust domains that are here already: a million entries have
    /// a few thousand parents.
    #[expect(
        clippy::expect_used,
        reason = "only names were exchanged for equal ones, and the entry was valid before"
    )]
    fn share_names(&self, entry: Entry) -> Entry {
        let (id, revision_number, created_at) = (entry.id.clone(), entry.revision_number, entry.created_at);
        let mut draft = entry.into_draft();
        if let Some((parent, _)) = self.by_parent.get_key_value(&draft.parent_id) {
            draft.parent_id = parent.clone();
        }
        for name in &mut draft.federates_with {
            if let Some(bundle) = self.bundles.bundle(name) {
                *name = bundle.trust_domain.clone();
            }
        }
        let trust_domain = draft.spiffe_id.trust_domain();
        let mut shared = Entry::new(draft, id, &trust_domain, created_at).expect("equal to a valid entry");
        shared.revision_number = revision_number;
        shared
    }

    pub(super) fn remove_entry(&mut self, id: &EntryId) {
        let Some(entry) = self.entry(id).cloned() else { return };
        self.entries.remove_mut(id);
        leave_group(&mut self.by_parent, &entry.parent_id, id);
        leave_group(&mut self.by_spiffe_id, &entry.spiffe_id, id);
        self.aliases.remove(&entry);
    }

    pub(super) fn insert_node(&mut self, node: Node) {
        self.nodes.insert_mut(node.id.clone(), Arc::new(node));
    }

    pub(super) fn remove_node(&mut self, id: &SpiffeId) {
        self.nodes.remove_mut(id);
    }

    /// Bundles are few: all of them are read and replaced at once.
    pub(super) fn replace_bundles(&mut self, bundles: Vec<Bundle>) {
        self.bundles = bundles.into_iter().map(Arc::new).collect();
    }
}

fn join_group(groups: &mut HashTrieMapSync<SpiffeId, Group>, id: &SpiffeId, entry: &Arc<Entry>) {
    let entry = ById(Arc::clone(entry));
    match groups.get_mut(id) {
        Some(group) => group.insert(entry),
        None => groups.insert_mut(id.clone(), Group { first: entry, rest: EntrySet::default() }),
    }
}

fn leave_group(groups: &mut HashTrieMapSync<SpiffeId, Group>, id: &SpiffeId, entry: &EntryId) {
    let Some(group) = groups.get_mut(id) else { return };
    if group.first.0.id != *entry {
        group.rest.remove_mut(entry);
    } else if let Some(first) = group.rest.first().cloned() {
        group.rest.remove_mut(&first.0.id);
        group.first = first;
    } else {
        groups.remove_mut(id);
    }
}

/// The entries below one parent, or for one SPIFFE ID: one or more. Most IDs have one, which needs no set.
#[derive(Clone, Debug)]
struct Group {
    /// The one with the lowest id.
    first: ById,
    rest: EntrySet,
}

impl Group {
    fn insert(&mut self, mut entry: ById) {
        if entry < self.first {
            std::mem::swap(&mut entry, &mut self.first);
        }
        self.rest.insert_mut(entry);
    }

    /// The entries by id.
    fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        std::iter::once(&self.first).chain(self.rest.iter()).map(|ById(entry)| entry)
    }
}

/// Entries by id; each costs a pointer, since the id is in the entry.
pub(super) type EntrySet = RedBlackTreeSetSync<ById>;

/// An entry that is compared by its id.
#[derive(Clone, Debug)]
pub(super) struct ById(pub(super) Arc<Entry>);

impl Borrow<EntryId> for ById {
    fn borrow(&self) -> &EntryId {
        &self.0.id
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ById {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id.cmp(&other.0.id)
    }
}
