//! One generation of an identity: the credentials of this process and the bundles it trusts, proven to belong
//! together.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{BundleSet, Role, X509Credential};

use crate::ReceiveError;

/// Credentials and bundles that change together. That it exists proves that each credential's key belongs to its
/// certificate and that each chain verifies against the bundle of its own trust domain.
#[derive(Debug)]
pub struct X509Context {
    credentials: Vec<Arc<X509Credential>>,
    bundles: BundleSet,
}

impl X509Context {
    /// Proves at the instant `at` that a received set belongs together.
    ///
    /// The first credential is the default (SPIFFE Workload API §8). Of several with the same hint the first is
    /// kept (§5.2.1). A chain that becomes valid a little later is accepted, so that a provider whose clock is
    /// ahead cannot leave this process without the next generation.
    ///
    /// # Errors
    /// [`ReceiveError::NoSvid`] for a set without a credential, [`ReceiveError::Mismatch`] when a chain does not
    /// verify, an expired one included.
    pub fn new(
        credentials: Vec<X509Credential>,
        bundles: BundleSet,
        at: SystemTime,
    ) -> Result<Self, ReceiveError> {
        if credentials.is_empty() {
            return Err(ReceiveError::NoSvid);
        }
        let credentials = without_repeated_hints(credentials);
        credentials.iter().try_for_each(|credential| prove(credential, &bundles, at))?;
        Ok(Self { credentials, bundles })
    }

    /// Bundles alone, for a caller that has no identity yet: it can verify a server, and presents nothing.
    pub fn anonymous(bundles: BundleSet) -> Self {
        Self { credentials: Vec::new(), bundles }
    }

    /// The default credential: the first one received. `None` in an [anonymous](Self::anonymous) context.
    pub fn credential(&self) -> Option<&Arc<X509Credential>> {
        self.credentials.first()
    }

    /// All credentials, in the order received.
    pub fn credentials(&self) -> &[Arc<X509Credential>] {
        &self.credentials
    }

    /// The bundles, one for each trust domain; a domain without one is not trusted.
    pub fn bundles(&self) -> &BundleSet {
        &self.bundles
    }
}

fn without_repeated_hints(credentials: Vec<X509Credential>) -> Vec<Arc<X509Credential>> {
    let mut hints = HashSet::new();
    credentials
        .into_iter()
        .filter(|credential| credential.hint().is_empty() || hints.insert(credential.hint().to_owned()))
        .map(Arc::new)
        .collect()
}

fn prove(credential: &X509Credential, bundles: &BundleSet, at: SystemTime) -> Result<(), ReceiveError> {
    let svid = credential.svid();
    let at = at.max(svid.not_before());
    match svid.verify(bundles, at, Role::Client) {
        Ok(_) => Ok(()),
        Err(cause) => Err(ReceiveError::Mismatch { id: svid.id().clone(), cause: Box::new(cause) }),
    }
}
