//! Whether the trust on which an open connection rests still stands.

#[cfg(test)]
mod tests;
mod web;

use std::sync::Arc;
use std::time::SystemTime;

use finial_daemon::go;
use finial_identity::{
    ForeignChainError, PublicKey, RevocationLists, Role, SpiffeId, SpkiPin, Verified, X509Error, X509Svid,
};
use finial_receive::{NotLive, Source, WebSource, X509Context};
pub(crate) use web::{WebProven, WebStanding};

use crate::terms::{Lists, same_lists};
use crate::verifier::Proven;
use crate::{NameRules, Terms};

/// Why an open connection must be closed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fallen {
    /// This process no longer has the identity under which it made the connection.
    #[error("our own identity is gone")]
    Own(#[source] NotLive),
    /// This process has identities, but no longer the one under which it made the connection.
    #[error("our own identity {0} is gone")]
    Replaced(
        /// The ID that was presented.
        SpiffeId,
    ),
    /// The peer's chain no longer verifies: its authority left the bundle, its trust domain was dropped, or its
    /// certificate was revoked.
    #[error("{id} is no longer trusted")]
    Peer {
        /// The ID of the peer.
        id: SpiffeId,
        /// Why its chain no longer verifies.
        #[source]
        cause: Arc<X509Error>,
    },
    /// The peer's certificate has expired, and our terms make the connection end with it.
    #[error("the certificate of {peer} expired at {}", go::format_time(*.at))]
    Expired {
        /// The ID or the subject of the peer.
        peer: String,
        /// Its NotAfter.
        at: SystemTime,
    },
    /// The certificate of a peer of the web no longer leads to our roots, or was revoked.
    #[error("the certificate of {subject} is no longer trusted")]
    WebPeer {
        /// Its subject.
        subject: String,
        /// Why its chain no longer verifies.
        #[source]
        cause: Arc<ForeignChainError>,
    },
}

/// Watches the trust of one open connection. Whoever serves the connection waits on [`fallen`](Self::fallen)
/// beside its traffic, and closes it when that resolves.
///
/// A newer credential of the same ID on our side is fine, and so is, unless the [`Terms`] say otherwise, a peer whose
/// SVID has merely expired since the handshake: it proved then that it held the key, and its next connection needs the
/// next SVID.
#[derive(Clone, Debug)]
#[must_use = "a connection must be closed when its standing has fallen"]
pub struct Standing(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Spiffe(Box<SpiffeStanding>),
    Web(Box<WebStanding>),
    /// It rests on both.
    Both(Box<[Standing; 2]>),
    /// There is nothing behind a pinned key that could fall.
    Pinned(PublicKey),
    /// Nothing was asked of the peer, so that nothing of it can fall.
    Nobody,
}

/// Watches our own identity, and an SVID of a peer.
#[derive(Clone, Debug)]
struct SpiffeStanding {
    source: Source,
    terms: Terms,
    own: Option<SpiffeId>,
    peer: Option<(Verified<X509Svid>, Role)>,
    /// What all of it was proven against last.
    proven: Option<Proven>,
}

impl Standing {
    pub(crate) fn new(
        (source, terms): (Source, Terms),
        own: Option<SpiffeId>,
        peer: Option<(Verified<X509Svid>, Role)>,
        proven: Option<Proven>,
    ) -> Self {
        Self(Kind::Spiffe(Box::new(SpiffeStanding { source, terms, own, peer, proven })))
    }

    pub(crate) fn of_web(standing: WebStanding) -> Self {
        Self(Kind::Web(Box::new(standing)))
    }

    /// Of a connection that rests on both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(Kind::Both(Box::new([self, other])))
    }

    pub(crate) fn of_pinned(key: PublicKey) -> Self {
        Self(Kind::Pinned(key))
    }

    pub(crate) fn of_nobody() -> Self {
        Self(Kind::Nobody)
    }

    /// Whether these rules, which may be newer than the connection, permit its peer by the names in its certificate. A
    /// peer that presented none is permitted by nothing.
    pub fn is_permitted_by(&self, rules: &NameRules) -> bool {
        match &self.0 {
            Kind::Spiffe(standing) => standing.peer.as_ref().is_some_and(|(svid, _)| rules.permit_svid(svid)),
            Kind::Web(standing) => rules.permit(standing.peer()),
            Kind::Both(both) => both.iter().any(|standing| standing.is_permitted_by(rules)),
            Kind::Pinned(_) | Kind::Nobody => false,
        }
    }

    /// Whether one of these pins, which may be newer than the connection, is of its peer's key. A peer that was permitted
    /// by its names is permitted by no pin.
    pub fn is_pinned_by(&self, pins: &[SpkiPin]) -> bool {
        match &self.0 {
            Kind::Pinned(key) => pins.iter().any(|pin| pin.is_of(key)),
            Kind::Both(both) => both.iter().any(|standing| standing.is_pinned_by(pins)),
            Kind::Spiffe(_) | Kind::Web(_) | Kind::Nobody => false,
        }
    }

    /// Rests on another source from now on, and on these terms: it falls unless that source has the ID that we presented,
    /// and its bundles vouch for the peer. `false`, and nothing has changed, when the connection does not rest on an identity
    /// of SPIFFE.
    #[must_use]
    pub fn move_to(&mut self, source: &Source, terms: &Terms) -> bool {
        let Kind::Spiffe(standing) = &mut self.0 else { return false };
        (standing.source, standing.terms) = (source.clone(), terms.clone());
        true
    }

    /// Rests on another source of the web from now on, and on these terms: it falls unless the certificate of the peer
    /// leads to the roots of that source. `false`, and nothing has changed, when it rests on an identity of SPIFFE.
    #[must_use]
    pub fn move_to_web(&mut self, source: &WebSource, terms: &Terms) -> bool {
        match &mut self.0 {
            Kind::Spiffe(_) | Kind::Both(_) => return false,
            Kind::Web(standing) => standing.move_to(source, terms),
            Kind::Pinned(_) | Kind::Nobody => {}
        }
        true
    }

    /// Resolves when the connection must be closed; never, while its trust stands.
    pub async fn fallen(&mut self) -> Fallen {
        match &mut self.0 {
            Kind::Spiffe(standing) => standing.fallen().await,
            Kind::Web(standing) => standing.fallen().await,
            Kind::Both(both) => {
                let [one, other] = &mut **both;
                tokio::select! {
                    fallen = Box::pin(one.fallen()) => fallen,
                    fallen = Box::pin(other.fallen()) => fallen,
                }
            }
            Kind::Pinned(_) | Kind::Nobody => std::future::pending().await,
        }
    }
}

impl SpiffeStanding {
    async fn fallen(&mut self) -> Fallen {
        loop {
            if let Err(fallen) = self.prove() {
                return fallen;
            }
            let Self { source, terms, peer, .. } = self;
            let end = peer.as_ref().and_then(|(svid, _)| terms.end(svid.not_after()));
            let clock = source.clock().clone();
            terms.changed(source.updated(), (&clock, end)).await;
        }
    }

    /// Proves the connection against what holds now, as far as that is another than the last time.
    fn prove(&mut self) -> Result<(), Fallen> {
        let context = self.source.context().map_err(Fallen::Own)?;
        let lists = self.terms.lists().map_err(Fallen::Own)?;
        let same =
            |proven: &Proven| Arc::ptr_eq(&proven.context, &context) && same_lists(&proven.lists, &lists);
        if !self.proven.as_ref().is_some_and(same) {
            self.prove_own(&context)?;
            self.prove_peer(&context, &lists)?;
            self.proven = Some(Proven { context, lists });
        }
        self.prove_time()
    }

    fn prove_time(&self) -> Result<(), Fallen> {
        let Some((svid, _)) = &self.peer else { return Ok(()) };
        match self.terms.end(svid.not_after()) {
            Some(end) if self.source.clock().now() >= end => {
                Err(Fallen::Expired { peer: svid.id().to_string(), at: svid.not_after() })
            }
            _ => Ok(()),
        }
    }

    fn prove_own(&self, context: &X509Context) -> Result<(), Fallen> {
        match &self.own {
            Some(own) if context.credentials().iter().all(|credential| credential.svid().id() != own) => {
                Err(Fallen::Replaced(own.clone()))
            }
            _ => Ok(()),
        }
    }

    fn prove_peer(&self, context: &X509Context, lists: &Lists) -> Result<(), Fallen> {
        let Some((svid, role)) = &self.peer else { return Ok(()) };
        let trust_domain = svid.id().trust_domain();
        if let Some(proven) = &self.proven
            && proven.context.bundles().bundle(&trust_domain) == context.bundles().bundle(&trust_domain)
            && same_lists(&proven.lists, lists)
        {
            return Ok(());
        }
        let at = self.source.clock().now().max(svid.not_before()).min(svid.not_after());
        let revoked = lists.as_deref().map(RevocationLists::even_if_expired).unwrap_or_default();
        match svid.verify_unrevoked(context.bundles(), &revoked, at, *role) {
            Ok(_) => Ok(()),
            Err(cause) => Err(Fallen::Peer { id: svid.id().clone(), cause: Arc::new(cause) }),
        }
    }
}
