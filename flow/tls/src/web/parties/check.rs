//! What we accept of the web: a certificate that leads to the current roots of a source, and whose names are permitted.

use std::sync::{Arc, OnceLock};

use finial_identity::{ForeignChain, ForeignChainError, Role, Verified};
use finial_receive::{WebIdentity, WebSource};
use rustls_pki_types::{CertificateDer, ServerName};

use super::Check;
use crate::recent::Recent;
use crate::standing::WebProven;
use crate::verifier::PeerVerifier;
use crate::{NameRules, Terms, TlsError};

/// Who was verified in the handshake of one connection, and against what.
#[derive(Debug, Default)]
pub(super) struct WebWitness {
    peer: OnceLock<(Arc<Verified<ForeignChain>>, WebProven)>,
}

impl WebWitness {
    pub(super) fn peer(&self) -> Option<(Arc<Verified<ForeignChain>>, WebProven)> {
        self.peer.get().cloned()
    }
}

/// The checks on a peer's certificate, in the order in which they must be made: the chain, and only then its names.
#[derive(Debug)]
pub(super) struct WebCheck {
    source: WebSource,
    rules: Arc<NameRules>,
    terms: Terms,
    check: Check,
    recent: Arc<RecentChains>,
    witness: Arc<WebWitness>,
}

/// The chains that were verified a moment ago.
pub(super) type RecentChains = Recent<WebIdentity, Arc<Verified<ForeignChain>>>;

impl WebCheck {
    pub(super) fn new(
        source: WebSource,
        (rules, terms): (Arc<NameRules>, Terms),
        check: Check,
        recent: Arc<RecentChains>,
        witness: Arc<WebWitness>,
    ) -> Self {
        Self { source, rules, terms, check, recent, witness }
    }

    fn permits(&self, chain: &ForeignChain) -> bool {
        (self.check == Check::Name && self.rules.is_empty()) || self.rules.permit(chain)
    }
}

impl PeerVerifier for WebCheck {
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        name: Option<&ServerName<'_>>,
    ) -> Result<(), TlsError> {
        let untrusted = |cause: ForeignChainError| TlsError::UntrustedWeb(Arc::new(cause));
        let (identity, lists) = (self.source.identity()?, self.terms.lists()?);
        let now = self.source.clock().now();
        let verify = || {
            let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned());
            let revoked = lists.as_deref().cloned().unwrap_or_default();
            let chain = ForeignChain::from_chain(chain.collect())?;
            chain.verify_for(role, identity.roots(), &revoked, now).map(Arc::new)
        };
        let (presented, grounds) = ((leaf, intermediates), (&identity, &lists));
        let chain = self.recent.prove(presented, grounds, (now, role), verify).map_err(untrusted)?;
        if let Some(name) = name
            && !chain.is_for(name)
        {
            return Err(TlsError::WrongName { name: name.to_str().into_owned(), subject: chain.subject() });
        }
        if !self.permits(&chain) {
            return Err(TlsError::UnauthorizedWeb { subject: chain.subject() });
        }
        let _ = self.witness.peer.set((chain, WebProven { identity, lists }));
        Ok(())
    }
}
