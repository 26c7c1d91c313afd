//! The parts of a snapshot that one stream of a delegate is about, and whether two of them differ for its reader.

use std::collections::BTreeSet;
use std::sync::Arc;

use finial_identity::{Bundle, BundleSet, Entry, TrustDomain, X509Credential};
use finial_wire::DelegatedIdentities;

use crate::agent::snapshot::AgentSnapshot;
use crate::agent::workload_api::views::{same_bundles, same_jwt, same_x509};

/// What a stream sends; equal views are not sent twice, and each is the full set.
pub(super) trait View: PartialEq + Sized + Send + Sync + 'static {
    /// The message that carries the view.
    type Message: Send + 'static;

    /// What of the snapshot concerns a workload with these entries.
    fn of(entries: &[Arc<Entry>], snapshot: &AgentSnapshot) -> Self;

    /// Whether the agent has all of it.
    fn is_full(&self) -> bool;

    /// The view as it is sent.
    fn message(&self) -> Self::Message;
}

/// SubscribeToX509SVIDs.
#[derive(Debug)]
pub(super) struct Identities {
    credentials: Vec<Arc<X509Credential>>,
    missing: usize,
    federates_with: Vec<TrustDomain>,
}

impl View for Identities {
    type Message = DelegatedIdentities;

    fn of(entries: &[Arc<Entry>], snapshot: &AgentSnapshot) -> Self {
        let credentials = entries.iter().filter_map(|entry| snapshot.credential(&entry.id));
        let credentials: Vec<_> = credentials.cloned().collect();
        let federates_with: BTreeSet<_> = entries.iter().flat_map(|entry| &entry.federates_with).collect();
        let is_there = |name: &&TrustDomain| snapshot.federated().contains_key(*name);
        Self {
            missing: entries.len() - credentials.len(),
            credentials,
            federates_with: federates_with.into_iter().filter(is_there).cloned().collect(),
        }
    }

    fn is_full(&self) -> bool {
        self.missing == 0
    }

    fn message(&self) -> DelegatedIdentities {
        DelegatedIdentities {
            credentials: self.credentials.iter().map(|held| X509Credential::clone(held)).collect(),
            federates_with: self.federates_with.clone(),
        }
    }
}

impl PartialEq for Identities {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.credentials.iter().zip(&other.credentials);
        self.credentials.len() == other.credentials.len()
            && pairs.into_iter().all(|(one, other)| Arc::ptr_eq(one, other))
            && self.federates_with == other.federates_with
    }
}

/// SubscribeToX509Bundles: all that the agent has.
#[derive(Debug)]
pub(super) struct X509Bundles(Vec<Arc<Bundle>>);

/// SubscribeToJWTBundles: all that the agent has.
#[derive(Debug)]
pub(super) struct JwtBundles(Vec<Arc<Bundle>>);

impl View for X509Bundles {
    type Message = BundleSet;

    fn of(_: &[Arc<Entry>], snapshot: &AgentSnapshot) -> Self {
        Self(all_bundles(snapshot))
    }

    fn is_full(&self) -> bool {
        true
    }

    fn message(&self) -> BundleSet {
        self.0.iter().cloned().collect()
    }
}

impl PartialEq for X509Bundles {
    fn eq(&self, other: &Self) -> bool {
        same_bundles(&self.0, &other.0, same_x509)
    }
}

impl View for JwtBundles {
    type Message = BundleSet;

    fn of(_: &[Arc<Entry>], snapshot: &AgentSnapshot) -> Self {
        Self(all_bundles(snapshot))
    }

    fn is_full(&self) -> bool {
        true
    }

    fn message(&self) -> BundleSet {
        self.0.iter().cloned().collect()
    }
}

impl PartialEq for JwtBundles {
    fn eq(&self, other: &Self) -> bool {
        same_bundles(&self.0, &other.0, same_jwt)
    }
}

fn all_bundles(snapshot: &AgentSnapshot) -> Vec<Arc<Bundle>> {
    std::iter::once(snapshot.bundle()).chain(snapshot.federated().values()).cloned().collect()
}
