//! The trust of a connection with a peer of the web.

use std::sync::Arc;

use finial_identity::{ForeignChain, Role, Verified};
use finial_receive::{WebIdentity, WebSource};

use super::Fallen;

/// Watches whether a peer's certificate still leads to the roots of a source.
#[derive(Clone, Debug)]
pub(crate) struct WebStanding {
    source: WebSource,
    peer: Verified<ForeignChain>,
    role: Role,
    /// The generation against which it was proven last.
    proven: Arc<WebIdentity>,
}

impl WebStanding {
    pub(crate) fn new(
        source: WebSource,
        peer: Verified<ForeignChain>,
        role: Role,
        proven: Arc<WebIdentity>,
    ) -> Self {
        Self { source, peer, role, proven }
    }

    pub(super) fn peer(&self) -> &ForeignChain {
        &self.peer
    }

    /// Resolves when the peer is no longer trusted; never, while it is.
    pub(super) async fn fallen(&mut self) -> Fallen {
        loop {
            if let Err(fallen) = self.prove() {
                return fallen;
            }
            if self.source.updated().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn prove(&mut self) -> Result<(), Fallen> {
        let identity = self.source.identity().map_err(Fallen::Own)?;
        if self.proven.roots() != identity.roots() {
            let at = self.source.clock().now().min(self.peer.not_after());
            if let Err(cause) = self.peer.verify_for(self.role, identity.roots(), at) {
                let subject = self.peer.subject();
                return Err(Fallen::WebPeer { subject, cause: Arc::new(cause) });
            }
        }
        self.proven = identity;
        Ok(())
    }
}
