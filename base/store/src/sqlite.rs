//! The embedded store: one SQLite file, one writer, several changes per commit under load.

use crate::*;
use async_trait::async_trait;
use finial_identity::*;
use std::path::Path;
use std::time::SystemTime;
use tokio::sync::watch;

/// A datastore in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore;
impl SqliteStore {
    /// Opens.
    pub async fn open(_path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Err(StoreError::Closed)
    }
    /// In memory.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Err(StoreError::Closed)
    }
    /// Closes.
    pub async fn close(&self) {}
}
#[async_trait]
impl Entries for SqliteStore {
    async fn create_entry(&self, _: Entry) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn update_entry(&self, _: Entry) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn delete_entry(&self, _: &EntryId) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn entries(&self, _: &[EntryId]) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn scan_entries(&self, _: Option<&EntryId>, _: u32) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::Closed)
    }
}
#[async_trait]
impl Nodes for SqliteStore {
    async fn create_or_replace_node(&self, _: Node) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn update_node(&self, _: &Node, _: Node) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn delete_node(&self, _: &SpiffeId) -> Result<DeletedNode, StoreError> {
        Err(StoreError::Closed)
    }
    async fn nodes(&self, _: &[SpiffeId]) -> Result<Vec<Node>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn scan_nodes(&self, _: Option<&SpiffeId>, _: u32) -> Result<Vec<Node>, StoreError> {
        Err(StoreError::Closed)
    }
}
#[async_trait]
impl Bundles for SqliteStore {
    async fn put_bundle(&self, _: Bundle) -> Result<StoredBundle, StoreError> {
        Err(StoreError::Closed)
    }
    async fn replace_bundle(&self, _: Bundle) -> Result<StoredBundle, StoreError> {
        Err(StoreError::Closed)
    }
    async fn delete_bundle(&self, _: &TrustDomain) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn bundle(&self, _: &TrustDomain) -> Result<Option<Bundle>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn bundles(&self) -> Result<Vec<Bundle>, StoreError> {
        Err(StoreError::Closed)
    }
}
#[async_trait]
impl Tokens for SqliteStore {
    async fn create_token(&self, _: JoinToken) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
    async fn consume_token(&self, _: &str) -> Result<Option<JoinToken>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn prune_tokens(&self, _: SystemTime) -> Result<u64, StoreError> {
        Err(StoreError::Closed)
    }
}
#[async_trait]
impl Journal for SqliteStore {
    async fn journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn previous_journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn put_journal(&self, _: Vec<u8>, _: Option<Revision>) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
}
#[async_trait]
impl Changes for SqliteStore {
    async fn changes_after(&self, _: Revision, _: u32) -> Result<Vec<Change>, StoreError> {
        Err(StoreError::Closed)
    }
    async fn revision(&self) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }
    async fn prune_changes(&self, _: u64) -> Result<u64, StoreError> {
        Err(StoreError::Closed)
    }
    fn subscribe(&self) -> watch::Receiver<Revision> {
        watch::channel(0).1
    }
}
