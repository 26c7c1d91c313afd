//! The parts of a snapshot that one stream is about, and whether two of them differ for its reader.

use std::sync::Arc;

use finial_identity::{Bundle, BundleSet, X509Credential};
use finial_wire::X509Context;

use super::entitlement::Entitlement;
use super::rates::RatedCall;
use crate::agent::snapshot::AgentSnapshot;

/// What a stream sends; equal views are not sent twice (WAP-06), and each is the full set (WAP-04).
pub(super) trait View: PartialEq + Sized + Send + Sync + 'static {
    /// The message that carries the view.
    type Message: Send + 'static;

    /// The call that opens the stream.
    const CALL: RatedCall;

    /// Whether the X.509-SVIDs of the entries are part of it, which are then kept in the cache.
    const HAS_SVIDS: bool = false;

    /// Whether a caller without identity may have it, where the administrator allows that.
    const IS_FOR_VERIFIERS: bool = false;

    /// What of the snapshot concerns a caller entitled to this.
    fn of(entitlement: &Entitlement, snapshot: &AgentSnapshot) -> Self;

    /// How much of it the agent has.
    fn extent(&self) -> Extent;

    /// The view as it is sent.
    fn message(&self) -> Self::Message;
}

/// How much of what a caller is entitled to the agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Full,
    /// Some SVIDs are still to be issued.
    Partial,
    /// No SVID at all, so that there is nothing to send (WAP-13).
    Nothing,
}

/// FetchX509SVID: the identities and the bundles to check others by.
#[derive(Debug)]
pub(super) struct X509Identities {
    credentials: Vec<Arc<X509Credential>>,
    missing: usize,
    bundles: Vec<Arc<Bundle>>,
}

impl View for X509Identities {
    type Message = X509Context;

    const CALL: RatedCall = RatedCall::FetchX509Svid;
    const HAS_SVIDS: bool = true;

    fn of(entitlement: &Entitlement, snapshot: &AgentSnapshot) -> Self {
        let identities = entitlement.entries();
        let credentials = identities.iter().filter_map(|entry| snapshot.credential(&entry.id));
        let credentials: Vec<_> = credentials.cloned().collect();
        let missing = identities.len() - credentials.len();
        Self { credentials, missing, bundles: entitlement.bundles(snapshot) }
    }

    fn extent(&self) -> Extent {
        match (self.credentials.len(), self.missing) {
            (_, 0) => Extent::Full,
            (0, _) => Extent::Nothing,
            _ => Extent::Partial,
        }
    }

    fn message(&self) -> X509Context {
        X509Context {
            credentials: self.credentials.iter().map(|held| X509Credential::clone(held)).collect(),
            bundles: self.bundles.iter().cloned().collect(),
            trust_domain: self.bundles[0].trust_domain.clone(),
        }
    }
}

impl PartialEq for X509Identities {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.credentials.iter().zip(&other.credentials);
        self.credentials.len() == other.credentials.len()
            && pairs.into_iter().all(|(one, other)| Arc::ptr_eq(one, other))
            && same_bundles(&self.bundles, &other.bundles, same_x509)
    }
}

/// FetchX509Bundles.
#[derive(Debug)]
pub(super) struct X509Bundles(Vec<Arc<Bundle>>);

/// FetchJWTBundles.
#[derive(Debug)]
pub(super) struct JwtBundles(Vec<Arc<Bundle>>);

impl View for X509Bundles {
    type Message = BundleSet;

    const CALL: RatedCall = RatedCall::FetchX509Bundles;
    const IS_FOR_VERIFIERS: bool = true;

    fn of(entitlement: &Entitlement, snapshot: &AgentSnapshot) -> Self {
        Self(entitlement.bundles(snapshot))
    }

    fn extent(&self) -> Extent {
        Extent::Full
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

    const CALL: RatedCall = RatedCall::FetchJwtBundles;
    const IS_FOR_VERIFIERS: bool = true;

    fn of(entitlement: &Entitlement, snapshot: &AgentSnapshot) -> Self {
        Self(entitlement.bundles(snapshot))
    }

    fn extent(&self) -> Extent {
        Extent::Full
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

/// Whether two lists of bundles are the same for a reader who only looks at what `same` compares.
pub(in crate::agent) fn same_bundles(
    one: &[Arc<Bundle>],
    other: &[Arc<Bundle>],
    same: fn(&Bundle, &Bundle) -> bool,
) -> bool {
    let is_same = |(one, other): (&Arc<Bundle>, &Arc<Bundle>)| {
        Arc::ptr_eq(one, other) || (one.trust_domain == other.trust_domain && same(one, other))
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// The certificates are what is sent: a taint is between server and agent.
pub(in crate::agent) fn same_x509(one: &Bundle, other: &Bundle) -> bool {
    let one = one.x509_authorities.iter().map(|authority| authority.certificate());
    one.eq(other.x509_authorities.iter().map(|authority| authority.certificate()))
}

pub(in crate::agent) fn same_jwt(one: &Bundle, other: &Bundle) -> bool {
    let one = one.jwt_authorities.iter().map(|authority| (&authority.key_id, &authority.public_key));
    one.eq(other.jwt_authorities.iter().map(|authority| (&authority.key_id, &authority.public_key)))
}
