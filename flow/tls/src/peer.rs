//! Who is at the other end of a connection.

use finial_identity::{SpiffeId, Verified, X509Svid};

/// The other end of a secured connection. Only a handshake in this crate makes one.
///
/// What a certificate of another PKI names is a [`WebPeer`](crate::WebPeer), another type: it can never be taken for a
/// SPIFFE peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Peer {
    /// A holder of the private key of this SVID, which was verified against the bundle of its own trust domain.
    Spiffe(Verified<X509Svid>),
}

impl Peer {
    /// The verified ID.
    pub fn spiffe_id(&self) -> &SpiffeId {
        match self {
            Self::Spiffe(svid) => svid.id(),
        }
    }

    /// The verified document.
    pub fn svid(&self) -> &Verified<X509Svid> {
        match self {
            Self::Spiffe(svid) => svid,
        }
    }
}
