//! The trust of a connection with a peer of the web.

use std::sync::Arc;

use finial_identity::{ForeignChain, RevocationLists, Role, Verified};
use finial_receive::{WebIdentity, WebSource};

use super::Fallen;
use crate::Terms;
use crate::terms::{Lists, same_lists};

/// Watches whether a peer's certificate still leads to the roots of a source.
#[derive(Clone, Debug)]
pub(crate) struct WebStanding {
    source: WebSource,
    terms: Terms,
    peer: Arc<Verified<ForeignChain>>,
    role: Role,
    /// What it was proven against last.
    proven: WebProven,
}

/// What a peer of the web was verified against.
#[derive(Clone, Debug)]
pub(crate) struct WebProven {
    pub(crate) identity: Arc<WebIdentity>,
    pub(crate) lists: Lists,
}

impl WebStanding {
    pub(crate) fn new(
        (source, terms): (WebSource, Terms),
        peer: Arc<Verified<ForeignChain>>,
        role: Role,
        proven: WebProven,
    ) -> Self {
        Self { source, terms, peer, role, proven }
    }

    pub(super) fn peer(&self) -> &ForeignChain {
        &self.peer
    }

    pub(super) fn move_to(&mut self, source: &WebSource, terms: &Terms) {
        (self.source, self.terms) = (source.clone(), terms.clone());
    }

    /// Resolves when the peer is no longer trusted; never, while it is.
    pub(super) async fn fallen(&mut self) -> Fallen {
        loop {
            if let Err(fallen) = self.prove() {
                return fallen;
            }
            let Self { source, terms, peer, .. } = self;
            let (clock, end) = (source.clock().clone(), terms.end(peer.not_after()));
            terms.changed(source.updated(), (&clock, end)).await;
        }
    }

    fn prove(&mut self) -> Result<(), Fallen> {
        let identity = self.source.identity().map_err(Fallen::Own)?;
        let lists = self.terms.lists().map_err(Fallen::Own)?;
        let (now, not_after) = (self.source.clock().now(), self.peer.not_after());
        if self.proven.identity.roots() != identity.roots() || !same_lists(&self.proven.lists, &lists) {
            let revoked = lists.as_deref().map(RevocationLists::even_if_expired).unwrap_or_default();
            let proven = self.peer.verify_for(self.role, identity.roots(), &revoked, now.min(not_after));
            proven
                .map_err(|cause| Fallen::WebPeer { subject: self.peer.subject(), cause: Arc::new(cause) })?;
        }
        self.proven = WebProven { identity, lists };
        match self.terms.end(not_after) {
            Some(end) if now >= end => Err(Fallen::Expired { peer: self.peer.subject(), at: not_after }),
            _ => Ok(()),
        }
    }
}
