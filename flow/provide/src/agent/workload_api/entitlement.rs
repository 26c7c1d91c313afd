//! What a caller is entitled to: the entries it matches, and the bundles they bring.

use std::collections::BTreeSet;
use std::sync::Arc;

use finial_attest::{AttestError, AttestedProcess};
use finial_authorize::matching_entries;
use finial_identity::{Bundle, BundleSet, Entry, SpiffeId};
use tonic::Status;

use super::caller::Caller;
use crate::agent::catalog::EntryCatalog;
use crate::agent::snapshot::AgentSnapshot;

/// The entries that match a caller: one at least, by entry ID, no two with the same hint (WAP-14). None for a caller
/// that only verifies others.
#[derive(Debug, Clone)]
pub(in crate::agent) struct Entitlement {
    entries: Vec<Arc<Entry>>,
}

impl Entitlement {
    /// Matches the caller with the entries; refused when none matches (Workload API §6: PermissionDenied), or `Unavailable`
    /// when it could not be fully recognized.
    pub(in crate::agent) fn of(caller: &Caller, catalog: &EntryCatalog) -> Result<Self, Status> {
        Self::among(caller, catalog, |_| true)
    }

    /// As [`of`](Self::of), with the entries of one identity only, or of all when none is named.
    pub(in crate::agent) fn named(
        caller: &Caller,
        catalog: &EntryCatalog,
        id: Option<&SpiffeId>,
    ) -> Result<Self, Status> {
        Self::among(caller, catalog, |entry| id.is_none_or(|id| entry.spiffe_id == *id))
    }

    /// What a caller is entitled to that matches no entry, where such callers may verify others.
    pub(in crate::agent) fn of_nobody() -> Self {
        Self { entries: Vec::new() }
    }

    fn among(
        caller: &Caller,
        catalog: &EntryCatalog,
        is_meant: impl Fn(&Entry) -> bool,
    ) -> Result<Self, Status> {
        let process = caller.attested();
        let candidates = catalog.candidates(process.selectors()).filter(|entry| is_meant(entry)).cloned();
        let entries = matching_entries(process, candidates);
        if entries.is_empty() { Err(refusal(process)) } else { Ok(Self { entries }) }
    }

    /// The entries, by ID: the first is the caller's default identity.
    pub(in crate::agent) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether the identity of this entry is among the caller's.
    pub(in crate::agent) fn covers(&self, entry: &Entry) -> bool {
        self.entries.iter().any(|held| held.id == entry.id && held.spiffe_id == entry.spiffe_id)
    }

    /// The own trust domain's bundle, then those of the domains federated with, as far as the agent has them.
    pub(in crate::agent) fn bundles(&self, snapshot: &AgentSnapshot) -> Vec<Arc<Bundle>> {
        let federates_with: BTreeSet<_> =
            self.entries.iter().flat_map(|entry| &entry.federates_with).collect();
        let federated = federates_with.into_iter().filter_map(|name| snapshot.federated().get(name));
        std::iter::once(snapshot.bundle()).chain(federated).cloned().collect()
    }

    /// The same bundles as a set.
    pub(in crate::agent) fn bundle_set(&self, snapshot: &AgentSnapshot) -> BundleSet {
        self.bundles(snapshot).into_iter().collect()
    }
}

/// The refusal of a caller that matches no entry. One that could not be fully recognized may match when it asks again.
pub(in crate::agent) fn refusal(process: &AttestedProcess) -> Status {
    match process.missing() {
        [] => no_identity(),
        missing => Status::unavailable(AttestError::Incomplete { missing: missing.to_vec() }.to_string()),
    }
}

/// The refusal that every Workload API client knows.
pub(in crate::agent) fn no_identity() -> Status {
    Status::permission_denied("no identity issued")
}
