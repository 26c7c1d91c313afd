//! What a workload is told in one message of FetchX509SVID.

use finial_identity::{BundleSet, TrustDomain, X509Credential};

/// A workload's identities and whom it may trust. One replaces the one before as a whole (WAP-07).
#[derive(Clone, Debug)]
pub struct X509Context {
    /// The identities; the first is the default one (WAP-25). Non-empty hints are unique (WAP-14).
    pub credentials: Vec<X509Credential>,
    /// The own trust domain's bundle and those federated with.
    pub bundles: BundleSet,
    /// The own trust domain.
    pub trust_domain: TrustDomain,
}
