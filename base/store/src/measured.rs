//! A store whose calls are counted and measured, by SPIRE's names for them.

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_daemon::metrics::{CallStatus, Calls, Metrics};
use finial_identity::{Bundle, Entry, EntryId, Node, SpiffeId, TrustDomain};
use tokio::sync::watch;

use crate::{
    Bundles, Change, Changes, DeletedNode, Entries, Federating, JoinToken, Journal, JournalRecord, Nodes,
    Revision, StoreError, StoredBundle, Tokens,
};

/// Any store, and what is known of its calls.
#[derive(Debug)]
pub struct Measured<S> {
    store: S,
    clock: Clock,
    meters: Meters,
}

#[derive(Debug)]
struct Meters {
    entry_create: Calls,
    entry_update: Calls,
    entry_delete: Calls,
    entry_fetch: Calls,
    entry_list: Calls,
    node_create: Calls,
    node_update: Calls,
    node_delete: Calls,
    node_fetch: Calls,
    node_list: Calls,
    bundle_set: Calls,
    bundle_update: Calls,
    bundle_delete: Calls,
    bundle_fetch: Calls,
    bundle_list: Calls,
    token_create: Calls,
    token_delete: Calls,
    token_prune: Calls,
    journal_fetch: Calls,
    journal_set: Calls,
    changes_list: Calls,
    changes_prune: Calls,
}

impl Meters {
    fn new(metrics: &Metrics) -> Self {
        let calls = |key, help| metrics.calls(key, help);
        Self {
            entry_create: calls("datastore.registration_entry.create", "The datastore creates an entry."),
            entry_update: calls("datastore.registration_entry.update", "The datastore changes an entry."),
            entry_delete: calls("datastore.registration_entry.delete", "The datastore deletes an entry."),
            entry_fetch: calls("datastore.registration_entry.fetch", "The datastore reads entries by ID."),
            entry_list: calls("datastore.registration_entry.list", "The datastore reads a page of entries."),
            node_create: calls("datastore.node.create", "The datastore creates an agent's node."),
            node_update: calls("datastore.node.update", "The datastore changes an agent's node."),
            node_delete: calls("datastore.node.delete", "The datastore deletes an agent's node."),
            node_fetch: calls("datastore.node.fetch", "The datastore reads nodes by ID."),
            node_list: calls("datastore.node.list", "The datastore reads a page of nodes."),
            bundle_set: calls("datastore.bundle.set", "The datastore writes a bundle, whatever stood there."),
            bundle_update: calls("datastore.bundle.update", "The datastore changes a bundle."),
            bundle_delete: calls("datastore.bundle.delete", "The datastore deletes a bundle."),
            bundle_fetch: calls("datastore.bundle.fetch", "The datastore reads a bundle."),
            bundle_list: calls("datastore.bundle.list", "The datastore reads all bundles."),
            token_create: calls("datastore.join_token.create", "The datastore creates a join token."),
            token_delete: calls("datastore.join_token.delete", "The datastore uses up a join token."),
            token_prune: calls("datastore.join_token.prune", "The datastore deletes expired join tokens."),
            journal_fetch: calls(
                "datastore.ca_journal.fetch",
                "The datastore reads the authorities' journal.",
            ),
            journal_set: calls("datastore.ca_journal.set", "The datastore writes the authorities' journal."),
            changes_list: calls("datastore.change.list", "The datastore reads its log of changes."),
            changes_prune: calls("datastore.change.prune", "The datastore shortens its log of changes."),
        }
    }
}

impl<S> Measured<S> {
    /// Counts the calls of `store` among `metrics`.
    pub fn new(store: S, metrics: &Metrics, clock: &Clock) -> Self {
        Self { store, clock: clock.clone(), meters: Meters::new(metrics) }
    }

    /// The store itself.
    pub fn store(&self) -> &S {
        &self.store
    }

    async fn timed<T>(
        &self,
        calls: &Calls,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = self.clock.monotonic();
        let outcome = call.await;
        let status = outcome.as_ref().map_or_else(status_of, |_| CallStatus::OK);
        calls.note(status, self.clock.monotonic().saturating_sub(began));
        outcome
    }
}

/// An error as the code of gRPC that SPIRE's datastore has for it.
fn status_of(error: &StoreError) -> CallStatus {
    CallStatus::from_code(match error {
        StoreError::NotFound { .. } => 5,
        StoreError::Duplicate { .. } => 6,
        StoreError::Banned { .. } => 7,
        StoreError::Full { .. } => 8,
        StoreError::NoBundle { .. } | StoreError::Federated { .. } => 9,
        StoreError::Conflict { .. } => 10,
        StoreError::Unavailable { .. } | StoreError::Closed => 14,
        _ => 13,
    })
}

#[async_trait]
impl<S: Entries> Entries for Measured<S> {
    async fn create_entry(&self, entry: Entry) -> Result<Revision, StoreError> {
        self.timed(&self.meters.entry_create, self.store.create_entry(entry)).await
    }

    async fn create_entries(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<Revision, StoreError>>, StoreError> {
        self.timed(&self.meters.entry_create, self.store.create_entries(entries)).await
    }

    async fn update_entry(&self, entry: Entry) -> Result<Revision, StoreError> {
        self.timed(&self.meters.entry_update, self.store.update_entry(entry)).await
    }

    async fn delete_entry(&self, id: &EntryId) -> Result<Revision, StoreError> {
        self.timed(&self.meters.entry_delete, self.store.delete_entry(id)).await
    }

    async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, StoreError> {
        self.timed(&self.meters.entry_fetch, self.store.entries(ids)).await
    }

    async fn scan_entries(&self, after: Option<&EntryId>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.timed(&self.meters.entry_list, self.store.scan_entries(after, limit)).await
    }
}

#[async_trait]
impl<S: Nodes> Nodes for Measured<S> {
    async fn create_or_replace_node(&self, node: Node) -> Result<Revision, StoreError> {
        self.timed(&self.meters.node_create, self.store.create_or_replace_node(node)).await
    }

    async fn update_node(&self, seen: &Node, node: Node) -> Result<Revision, StoreError> {
        self.timed(&self.meters.node_update, self.store.update_node(seen, node)).await
    }

    async fn delete_node(&self, id: &SpiffeId) -> Result<DeletedNode, StoreError> {
        self.timed(&self.meters.node_delete, self.store.delete_node(id)).await
    }

    async fn nodes(&self, ids: &[SpiffeId]) -> Result<Vec<Node>, StoreError> {
        self.timed(&self.meters.node_fetch, self.store.nodes(ids)).await
    }

    async fn scan_nodes(&self, after: Option<&SpiffeId>, limit: u32) -> Result<Vec<Node>, StoreError> {
        self.timed(&self.meters.node_list, self.store.scan_nodes(after, limit)).await
    }
}

#[async_trait]
impl<S: Bundles> Bundles for Measured<S> {
    async fn put_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError> {
        self.timed(&self.meters.bundle_set, self.store.put_bundle(bundle)).await
    }

    async fn replace_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError> {
        self.timed(&self.meters.bundle_update, self.store.replace_bundle(bundle)).await
    }

    async fn delete_bundle(
        &self,
        trust_domain: &TrustDomain,
        federating: Federating,
    ) -> Result<Revision, StoreError> {
        self.timed(&self.meters.bundle_delete, self.store.delete_bundle(trust_domain, federating)).await
    }

    async fn bundle(&self, trust_domain: &TrustDomain) -> Result<Option<Bundle>, StoreError> {
        self.timed(&self.meters.bundle_fetch, self.store.bundle(trust_domain)).await
    }

    async fn bundles(&self) -> Result<Vec<Bundle>, StoreError> {
        self.timed(&self.meters.bundle_list, self.store.bundles()).await
    }
}

#[async_trait]
impl<S: Tokens> Tokens for Measured<S> {
    async fn create_token(&self, token: JoinToken) -> Result<(), StoreError> {
        self.timed(&self.meters.token_create, self.store.create_token(token)).await
    }

    async fn consume_token(&self, value: &str) -> Result<Option<JoinToken>, StoreError> {
        self.timed(&self.meters.token_delete, self.store.consume_token(value)).await
    }

    async fn prune_tokens(&self, before: SystemTime) -> Result<u64, StoreError> {
        self.timed(&self.meters.token_prune, self.store.prune_tokens(before)).await
    }
}

#[async_trait]
impl<S: Journal> Journal for Measured<S> {
    async fn journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        self.timed(&self.meters.journal_fetch, self.store.journal()).await
    }

    async fn previous_journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        self.timed(&self.meters.journal_fetch, self.store.previous_journal()).await
    }

    async fn put_journal(&self, bytes: Vec<u8>, expected: Option<Revision>) -> Result<Revision, StoreError> {
        self.timed(&self.meters.journal_set, self.store.put_journal(bytes, expected)).await
    }
}

#[async_trait]
impl<S: Changes> Changes for Measured<S> {
    async fn changes_after(&self, after: Revision, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.timed(&self.meters.changes_list, self.store.changes_after(after, limit)).await
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        self.timed(&self.meters.changes_list, self.store.revision()).await
    }

    async fn prune_changes(&self, keep: u64) -> Result<u64, StoreError> {
        self.timed(&self.meters.changes_prune, self.store.prune_changes(keep)).await
    }

    fn subscribe(&self) -> watch::Receiver<Revision> {
        self.store.subscribe()
    }
}
