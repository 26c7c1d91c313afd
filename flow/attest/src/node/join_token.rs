//! Join tokens: a secret that an operator hands to one agent, good for one attestation.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::{SelectorSet, SpiffeId, TrustDomain};
use finial_store::Tokens;
use finial_wire::server::Dialogue;
use zeroize::Zeroizing;

use super::{NodeAttestor, NodeEvidenceSource, NodeFindings};
use crate::AttestError;

/// The SPIFFE ID of the agent that joins with `token`: `/spire/agent/join_token/<token>`.
///
/// The token shows in the ID, as it does in SPIRE; it is worthless once the agent has joined.
///
/// # Errors
/// [`AttestError::Evidence`] when the token cannot be a segment of a path (SPIFFE-ID §2.2): empty, `.`, `..`, or with
/// a character outside `[A-Za-z0-9._-]`.
pub fn join_token_agent_id(trust_domain: &TrustDomain, token: &str) -> Result<SpiffeId, AttestError> {
    SpiffeId::from_segments(trust_domain, &["spire", "agent", KIND, token]).map_err(|_| {
        AttestError::Evidence {
            problem: "join token cannot be part of a SPIFFE ID: use letters, digits, `.`, `-` and `_`"
                .to_owned(),
        }
    })
}

/// The server's half: takes a token out of the store, once.
pub struct JoinTokenAttestor {
    trust_domain: TrustDomain,
    tokens: Arc<dyn Tokens>,
    clock: Clock,
}

impl JoinTokenAttestor {
    /// Attests the agents of `trust_domain` that show one of `tokens`.
    pub fn new(trust_domain: TrustDomain, tokens: Arc<dyn Tokens>, clock: Clock) -> Self {
        Self { trust_domain, tokens, clock }
    }
}

impl fmt::Debug for JoinTokenAttestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinTokenAttestor").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

#[async_trait]
impl NodeAttestor for JoinTokenAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    /// Consumes the token before judging it, so that of any number of attempts exactly one can succeed.
    async fn attest(
        &self,
        payload: &[u8],
        _: Option<IpAddr>,
        _: &mut dyn Dialogue,
    ) -> Result<NodeFindings, AttestError> {
        let token = std::str::from_utf8(payload).map_err(|_| AttestError::TokenUnknown)?;
        let id = join_token_agent_id(&self.trust_domain, token)?;
        let consumed = self.tokens.consume_token(token).await;
        let token =
            consumed.map_err(|source| AttestError::Store { source })?.ok_or(AttestError::TokenUnknown)?;
        if token.expires_at() <= self.clock.now() {
            return Err(AttestError::TokenExpired);
        }
        Ok(NodeFindings { id, selectors: SelectorSet::default(), can_reattest: false })
    }
}

/// The agent's half: shows the token that it was given.
pub struct JoinTokenEvidence {
    token: Zeroizing<String>,
}

impl JoinTokenEvidence {
    /// Evidence from the token that the operator handed over.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: Zeroizing::new(token.into()) }
    }
}

impl fmt::Debug for JoinTokenEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinTokenEvidence(…)")
    }
}

#[async_trait]
impl NodeEvidenceSource for JoinTokenEvidence {
    fn kind(&self) -> &str {
        KIND
    }

    async fn payload(&mut self) -> Result<Vec<u8>, AttestError> {
        Ok(self.token.as_bytes().to_vec())
    }

    async fn respond(&mut self, _: &[u8]) -> Result<Vec<u8>, AttestError> {
        Err(AttestError::Evidence {
            problem: "the server challenged a join token, which has no answer".to_owned(),
        })
    }
}

const KIND: &str = "join_token";
