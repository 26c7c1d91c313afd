//! What the agent holds at one moment, for any number of readers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use finial_identity::{Bundle, EntryId, TrustDomain, X509Credential};

use super::catalog::EntryCatalog;

/// Entries, credentials and bundles that belong together. Never changes; the next one takes its place.
///
/// Parts that did not change are shared with the snapshot before, so that a reader tells by pointer whether
/// anything that concerns it is new.
#[derive(Debug, Clone)]
pub struct AgentSnapshot {
    pub(super) revision: u64,
    pub(super) is_synced: bool,
    pub(super) entries: Arc<EntryCatalog>,
    pub(super) credentials: Arc<HashMap<EntryId, Arc<X509Credential>>>,
    pub(super) bundle: Arc<Bundle>,
    pub(super) federated: Arc<BTreeMap<TrustDomain, Arc<Bundle>>>,
}

impl AgentSnapshot {
    pub(super) fn new(bundle: Arc<Bundle>) -> Self {
        Self {
            revision: 0,
            is_synced: false,
            entries: Arc::default(),
            credentials: Arc::default(),
            bundle,
            federated: Arc::default(),
        }
    }

    /// Grows by one with each snapshot of this process; not the server's revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the server has been heard since this process started: before, there are no entries.
    pub fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// The agent's own trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.bundle.trust_domain
    }

    /// The bundle of the agent's own trust domain.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The bundles of the trust domains that entries federate with, as far as the server holds them.
    pub fn federated(&self) -> &BTreeMap<TrustDomain, Arc<Bundle>> {
        &self.federated
    }

    /// The entries this agent is authorized for.
    pub fn entries(&self) -> &Arc<EntryCatalog> {
        &self.entries
    }

    /// The X.509-SVID and key for an entry; `None` while it is still to be issued.
    pub fn credential(&self, entry: &EntryId) -> Option<&Arc<X509Credential>> {
        self.credentials.get(entry)
    }

    /// How many entries have an X.509-SVID.
    pub fn credential_count(&self) -> usize {
        self.credentials.len()
    }
}
