//! What we accept of the web: a certificate that leads to the current roots of a source, and whose names are permitted.

use std::sync::{Arc, OnceLock};

use finial_identity::{ForeignChain, ForeignChainError, Role, Verified};
use finial_receive::WebSource;
use rustls_pki_types::{CertificateDer, ServerName};

use super::Check;
use crate::standing::WebProven;
use crate::verifier::PeerVerifier;
use crate::{NameRules, Terms, TlsError};

/// Who was verified in the handshake of one connection, and against what.
#[derive(Debug, Default)]
pub(super) struct WebWitness {
    peer: OnceLock<(Verified<ForeignChain>, WebProven)>,
}

impl WebWitness {
    pub(super) fn peer(&self) -> Option<(Verified<ForeignChain>, WebProven)> {
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
    witness: Arc<WebWitness>,
}

impl WebCheck {
    pub(super) fn new(
        source: WebSource,
        (rules, terms): (Arc<NameRules>, Terms),
        check: Check,
        witness: Arc<WebWitness>,
    ) -> Self {
        Self { source, rules, terms, check, witness }
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
        let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned());
        let chain = ForeignChain::from_chain(chain.collect()).map_err(untrusted)?;
        let now = self.source.clock().now();
        let revoked = lists.as_deref().cloned().unwrap_or_default();
        let chain = chain.verify_for(role, identity.roots(), &revoked, now).map_err(untrusted)?;
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
