//! The bundles a verifier holds, one a trust domain.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Bundle, TrustDomain};

/// Bundles by trust domain, never pooled. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleSet(Arc<BTreeMap<TrustDomain, Arc<Bundle>>>);

impl BundleSet {
    /// The bundle of the trust domain.
    pub fn bundle(&self, trust_domain: &TrustDomain) -> Option<&Arc<Bundle>> {
        self.0.get(trust_domain)
    }

    /// The bundles by name of their trust domain.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Bundle>> {
        self.0.values()
    }

    /// Puts a bundle in the place of its trust domain's previous one.
    pub fn insert(&mut self, bundle: Arc<Bundle>) {
        Arc::make_mut(&mut self.0).insert(bundle.trust_domain.clone(), bundle);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Arc<Bundle>> for BundleSet {
    fn from_iter<I: IntoIterator<Item = Arc<Bundle>>>(bundles: I) -> Self {
        let by_name = bundles.into_iter().map(|bundle| (bundle.trust_domain.clone(), bundle));
        Self(Arc::new(by_name.collect()))
    }
}
