//! A peer that is no SPIFFE peer, and is never taken for one.

use std::sync::Arc;

use finial_identity::{ForeignChain, Verified};

/// The holder of the private key of a certificate that was verified against roots that an operator named, and that
/// says nothing of SPIFFE: its names are what that PKI vouches for. Only a handshake in this crate makes one.
#[derive(Clone, Debug)]
pub struct WebPeer {
    chain: Arc<Verified<ForeignChain>>,
}

impl WebPeer {
    pub(super) fn new(chain: Arc<Verified<ForeignChain>>) -> Self {
        Self { chain }
    }

    /// The verified certificates, leaf first, and the names of the leaf.
    pub fn chain(&self) -> &Verified<ForeignChain> {
        &self.chain
    }
}
