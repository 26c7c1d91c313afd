//! The change log: which entry, node or bundle changed at which revision.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::StoreError;

/// Counts the changes of a store: 0 before the first, without gaps, in the order of commits.
pub type Revision = u64;

/// One row of the log: something was created, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The revision that this change took.
    pub revision: Revision,
    /// What kind of thing changed.
    pub kind: ChangeKind,
    /// The entry's id, the node's SPIFFE ID or the bundle's trust domain, to be read anew; not found means deleted.
    pub key: String,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A registration entry.
    Entry,
    /// An attested node.
    Node,
    /// A bundle.
    Bundle,
}

/// The change log.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The oldest changes after `after`, at most `limit` of them, in order and without gaps.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when changes after `after` are no longer in the log; [`StoreError::Behind`] when the
    /// store has not come as far as `after`.
    async fn changes_after(&self, after: Revision, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// The newest revision.
    ///
    /// # Errors
    /// Those of the database.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// Forgets all but the newest `keep` changes, and says how many were forgotten.
    ///
    /// # Errors
    /// Those of the database.
    async fn prune_changes(&self, keep: u64) -> Result<u64, StoreError>;

    /// Wakes when there may be a newer revision. A hint that can come late or not at all: readers poll too.
    fn subscribe(&self) -> watch::Receiver<Revision>;
}
