//! All entries, nodes and bundles at one revision: immutable, cheap to clone, and cheap to make the next one from.

use std::cmp::Ordering;
use std::sync::Arc;

use finial_identity::{Bundle, BundleSet, Entry, EntryId, Node, SelectorSet, SpiffeId, TrustDomain};
use rpds::HashTrieMapSync;

use super::aliases::Aliases;
use super::recent::Recent;
use super::sorted::Sorted;
use crate::{Change, Revision};

/// What the store held at one revision.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    revision: Revision,
    entries: EntrySet,
    /// Hashed, since entries are looked for here of which few are parents.
    by_parent: HashTrieMapSync<SpiffeId, EntrySet>,
    by_spiffe_id: Sorted<BySpiffeId>,
    aliases: Aliases,
    nodes: Sorted<NodeById>,
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
        self.entries.get(|item| item.0.id.cmp(id)).map(|ById(entry)| entry)
    }

    /// All entries, by id.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().map(|ById(entry)| entry)
    }

    /// The entries after `id`, by id.
    pub fn entries_after(&self, id: &EntryId) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter_from(|item| item.0.id <= *id).map(|ById(entry)| entry)
    }

    /// How many entries there are.
    #[must_use]
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// The entries directly below `parent`, by id.
    pub fn entries_by_parent(&self, parent: &SpiffeId) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_parent.get(parent).into_iter().flat_map(EntrySet::iter).map(|ById(entry)| entry)
    }

    /// Those of the entries directly below `parent` that have entries below them in their turn. Costs a look at each entry
    /// below it, or, when there are fewer parents than that, at each entry that gives the ID of a parent.
    pub fn parents_below(&self, parent: &SpiffeId) -> Vec<&Arc<Entry>> {
        let Some(children) = self.by_parent.get(parent) else { return Vec::new() };
        if children.len() <= self.by_parent.size() {
            let children = children.iter().map(|ById(entry)| entry);
            return children.filter(|child| self.by_parent.contains_key(&child.spiffe_id)).collect();
        }
        let parents = self.by_parent.keys().flat_map(|id| self.entries_by_spiffe_id(id));
        parents.filter(|entry| entry.parent_id == *parent).collect()
    }

    /// The entries that give `spiffe_id`, by id.
    pub fn entries_by_spiffe_id(&self, spiffe_id: &SpiffeId) -> impl Iterator<Item = &Arc<Entry>> {
        let found = self.by_spiffe_id.iter_from(|item| item.0.spiffe_id < *spiffe_id);
        found.map(|BySpiffeId(entry)| entry).take_while(|entry| entry.spiffe_id == *spiffe_id)
    }

    /// The node aliases (entries whose parent is the server) that a node with these selectors has: those whose
    /// selectors are all among them. Costs a look-up a selector, however many aliases there are for other nodes.
    pub fn aliases_matching(&self, selectors: &SelectorSet) -> impl Iterator<Item = &Arc<Entry>> {
        self.aliases.matching(selectors)
    }

    /// The attested node with this SPIFFE ID.
    #[must_use]
    pub fn node(&self, id: &SpiffeId) -> Option<&Arc<Node>> {
        self.nodes.get(|item| item.0.id.cmp(id)).map(|NodeById(node)| node)
    }

    /// All attested nodes, by SPIFFE ID.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().map(|NodeById(node)| node)
    }

    /// The attested nodes after `id`, by SPIFFE ID.
    pub fn nodes_after(&self, id: &SpiffeId) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter_from(|item| item.0.id <= *id).map(|NodeById(node)| node)
    }

    /// How many attested nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
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
        match self.by_parent.get_mut(&entry.parent_id) {
            Some(children) => children.insert(ById(Arc::clone(&entry))),
            None => {
                let mut children = EntrySet::default();
                children.insert(ById(Arc::clone(&entry)));
                self.by_parent.insert_mut(entry.parent_id.clone(), children);
            }
        }
        self.by_spiffe_id.insert(BySpiffeId(Arc::clone(&entry)));
        self.entries.insert(ById(entry));
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
        let Some(ById(entry)) = self.entries.remove(|item| item.0.id.cmp(id)) else { return };
        if let Some(siblings) = self.by_parent.get_mut(&entry.parent_id) {
            siblings.remove(|item| item.0.id.cmp(id));
            if siblings.is_empty() {
                self.by_parent.remove_mut(&entry.parent_id);
            }
        }
        self.by_spiffe_id.remove(|item| BySpiffeId::order(&item.0, &entry));
        self.aliases.remove(&entry);
    }

    pub(super) fn insert_node(&mut self, node: Node) {
        self.nodes.insert(NodeById(Arc::new(node)));
    }

    pub(super) fn remove_node(&mut self, id: &SpiffeId) {
        self.nodes.remove(|item| item.0.id.cmp(id));
    }

    /// Bundles are few: all of them are read and replaced at once.
    pub(super) fn replace_bundles(&mut self, bundles: Vec<Bundle>) {
        self.bundles = bundles.into_iter().map(Arc::new).collect();
    }
}

/// Entries by id; each costs a pointer, since the id is in the entry.
pub(super) type EntrySet = Sorted<ById>;

/// An entry that is compared by its id.
#[derive(Clone, Debug)]
pub(super) struct ById(pub(super) Arc<Entry>);

/// An entry that is compared by its SPIFFE ID, then by its id.
#[derive(Clone, Debug)]
struct BySpiffeId(Arc<Entry>);

/// A node that is compared by its SPIFFE ID.
#[derive(Clone, Debug)]
struct NodeById(Arc<Node>);

impl ById {
    fn order(one: &Entry, other: &Entry) -> Ordering {
        one.id.cmp(&other.id)
    }
}

impl BySpiffeId {
    fn order(one: &Entry, other: &Entry) -> Ordering {
        one.spiffe_id.cmp(&other.spiffe_id).then_with(|| one.id.cmp(&other.id))
    }
}

impl NodeById {
    fn order(one: &Node, other: &Node) -> Ordering {
        one.id.cmp(&other.id)
    }
}

/// Comparisons of what is pointed to, by `order`.
macro_rules! ordered {
    ($($name:ident),*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                Self::order(&self.0, &other.0)
            }
        }
    )*};
}

ordered!(ById, BySpiffeId, NodeById);
