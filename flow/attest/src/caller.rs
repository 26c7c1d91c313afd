//! Who is at the other end of a connection to one of our own services.

use std::os::fd::AsFd;

use finial_identity::{SpiffeId, Verified, X509Svid};

use crate::{AttestError, PeerCredentials};

/// The caller of an API, as the listener that accepted the connection knows it.
///
/// Holding one proves what it says: `Local` needs the peer of a Unix socket, `Spiffe` a verified SVID.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A process of this machine, through the program's own Unix socket.
    Local(PeerCredentials),
    /// The holder of an SVID, through mutual TLS. Not necessarily of our own trust domain.
    Spiffe(Verified<X509Svid>),
    /// Anybody: TLS without a client certificate.
    Anonymous,
}

impl Caller {
    /// The process behind an accepted Unix socket.
    ///
    /// # Errors
    /// [`AttestError::Peer`] when `socket` is not a connected Unix socket.
    pub fn local(socket: &impl AsFd) -> Result<Self, AttestError> {
        PeerCredentials::of(socket).map(Self::Local).map_err(|source| AttestError::Peer { source })
    }

    /// The holder of an SVID that was verified in the handshake.
    pub fn spiffe(svid: Verified<X509Svid>) -> Self {
        Self::Spiffe(svid)
    }

    /// A caller that showed nothing.
    pub fn anonymous() -> Self {
        Self::Anonymous
    }

    /// The SPIFFE ID of the caller, if it proved one.
    pub fn spiffe_id(&self) -> Option<&SpiffeId> {
        match self {
            Self::Spiffe(svid) => Some(svid.id()),
            Self::Local(_) | Self::Anonymous => None,
        }
    }
}
