//! One generation of a web identity, whose parts were checked to belong together.

use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{ForeignChain, PrivateKey, X509Authority};

/// A certificate and roots that change together.
#[derive(Debug)]
pub struct WebIdentity {
    credential: Option<Arc<WebCredential>>,
    roots: Vec<X509Authority>,
    read_at: SystemTime,
}

/// A chain of certificates, leaf first, and a key that was checked to belong to its leaf.
#[derive(Debug)]
pub struct WebCredential {
    chain: ForeignChain,
    key: PrivateKey,
}

impl WebIdentity {
    /// What a program presents, if anything, and whom it trusts, as they were at an instant.
    pub fn new(credential: Option<WebCredential>, roots: Vec<X509Authority>, read_at: SystemTime) -> Self {
        Self { credential: credential.map(Arc::new), roots, read_at }
    }

    /// The same certificate, with the roots as they are at a later instant.
    pub(super) fn with_roots(&self, roots: Vec<X509Authority>, read_at: SystemTime) -> Self {
        Self { credential: self.credential.clone(), roots, read_at }
    }

    /// What this program presents; `None` presents nothing.
    pub fn credential(&self) -> Option<&Arc<WebCredential>> {
        self.credential.as_ref()
    }

    /// What its peers are verified by.
    pub fn roots(&self) -> &[X509Authority] {
        &self.roots
    }

    /// When it was read.
    pub fn read_at(&self) -> SystemTime {
        self.read_at
    }
}

impl WebCredential {
    /// Joins the two; `None` when the key is not the leaf's.
    pub fn new(chain: ForeignChain, key: PrivateKey) -> Option<Self> {
        (key.public_key() == chain.public_key()).then_some(Self { chain, key })
    }

    /// The certificates.
    pub fn chain(&self) -> &ForeignChain {
        &self.chain
    }

    /// The private key of the leaf.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}
