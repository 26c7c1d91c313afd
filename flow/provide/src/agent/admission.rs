//! The check at the door: what an SVID must prove before it is handed to a workload.

use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{
    Bundle, BundleSet, Entry, PrivateKey, Role, SpiffeId, X509Credential, X509Error, X509Svid,
};

/// Why an SVID that the server issued is not taken into service.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The entry changed while the SVID was being issued, or the server erred.
    #[error("the SVID is for `{0}`, not for the identity of the entry")]
    OtherIdentity(SpiffeId),
    /// It would be useless on arrival: the clocks of server and agent differ by more than it lives.
    #[error("the SVID has expired already; compare the clocks of agent and server")]
    Expired,
    /// No authority of the bundle signed it, or not yet one that this agent has heard of.
    #[error("the SVID leads to no authority of the trust domain's bundle")]
    Untrusted(#[source] X509Error),
    /// It was issued for another key.
    #[error("the SVID does not belong to the key it was asked for")]
    OtherKey(#[source] X509Error),
}

/// The authorities that SVIDs of one's own trust domain may lead to.
#[derive(Debug, Clone)]
pub(super) struct Anchors {
    all: BundleSet,
    /// Without those that are tainted, when any is.
    untainted: Option<BundleSet>,
}

impl Anchors {
    pub(super) fn of(bundle: &Arc<Bundle>) -> Self {
        let is_tainted = bundle.x509_authorities.iter().any(|authority| authority.is_tainted());
        let untainted = is_tainted.then(|| {
            let mut bundle = Bundle::clone(bundle);
            bundle.x509_authorities.retain(|authority| !authority.is_tainted());
            BundleSet::from_iter([Arc::new(bundle)])
        });
        Self { all: BundleSet::from_iter([Arc::clone(bundle)]), untainted }
    }

    /// Whether the SVID leads to an authority that is not about to be withdrawn.
    pub(super) fn hold(&self, svid: &X509Svid, now: SystemTime) -> bool {
        let bundles = self.untainted.as_ref().unwrap_or(&self.all);
        svid.verify(bundles, instant_within(svid, now), Role::Client).is_ok()
    }

    /// Makes a credential of an SVID that belongs to the entry, to the key and to the trust domain, and tells whether it
    /// also [holds](Self::hold).
    pub(super) fn admit(
        &self,
        entry: &Entry,
        key: PrivateKey,
        svid: X509Svid,
        now: SystemTime,
    ) -> Result<(X509Credential, bool), Refusal> {
        if *svid.id() != entry.spiffe_id {
            return Err(Refusal::OtherIdentity(svid.id().clone()));
        }
        if svid.not_after() <= now {
            return Err(Refusal::Expired);
        }
        let holds = self.hold(&svid, now);
        if !holds {
            svid.verify(&self.all, instant_within(&svid, now), Role::Client).map_err(Refusal::Untrusted)?;
        }
        let credential = X509Credential::new(svid, key, entry.hint.clone()).map_err(Refusal::OtherKey)?;
        Ok((credential, holds))
    }
}

/// Whether `new` lacks an authority of `old`, or has tainted one: what it signed must then be replaced.
pub(super) fn withdraws(old: &Bundle, new: &Bundle) -> bool {
    let stands = |authority: &&finial_identity::X509Authority| !authority.is_tainted();
    let is_kept = |authority: &finial_identity::X509Authority| {
        let mut standing = new.x509_authorities.iter().filter(stands);
        standing.any(|kept| kept.certificate() == authority.certificate())
    };
    !old.x509_authorities.iter().filter(stands).all(is_kept)
}

/// Now, but not before the SVID begins: an agent whose clock is behind still takes what it is given.
fn instant_within(svid: &X509Svid, now: SystemTime) -> SystemTime {
    now.max(svid.not_before())
}

#[cfg(test)]
mod tests;
