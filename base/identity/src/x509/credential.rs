//! An X.509-SVID with the private key that belongs to it.

use crate::{PrivateKey, X509Error, X509Svid};

/// What a workload presents in a TLS handshake: an SVID, and a key that was checked to belong to its leaf.
#[derive(Clone, Debug)]
pub struct X509Credential {
    svid: X509Svid,
    key: PrivateKey,
    hint: String,
}

impl X509Credential {
    /// Joins the two; the hint may be empty.
    ///
    /// # Errors
    /// [`X509Error::KeyMismatch`] when the key does not belong to the leaf.
    pub fn new(svid: X509Svid, key: PrivateKey, hint: String) -> Result<Self, X509Error> {
        if key.public_key() != svid.public_key() {
            return Err(X509Error::KeyMismatch(svid.id().clone()));
        }
        Ok(Self { svid, key, hint })
    }

    /// The SVID.
    pub fn svid(&self) -> &X509Svid {
        &self.svid
    }

    /// The private key of the leaf.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// How the workload tells this identity from its others; empty when the operator gave no hint.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}
