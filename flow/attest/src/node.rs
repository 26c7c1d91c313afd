//! Node attestation: an agent proves which node it runs on, and becomes an [`AttestedNode`].

#[cfg(any(test, feature = "testing"))]
pub mod battery;
pub(crate) mod join_token;
#[cfg(test)]
mod tests;
pub(crate) mod x509pop;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{SelectorSet, SpiffeId, TrustDomain};
use finial_wire::server::Dialogue;

use crate::AttestError;

/// The server's half of a way to attest nodes.
///
/// An attestor reports what it found; [`NodeAttestors`] decides whether it may say so.
#[async_trait]
pub trait NodeAttestor: Send + Sync + Debug {
    /// The kind of evidence it judges, such as `join_token`; also the type of its selectors.
    fn kind(&self) -> &str;

    /// Judges the evidence `payload`, asking the agent back through `dialogue` if need be. `address` is where the
    /// agent calls from; none on a Unix socket.
    ///
    /// # Errors
    /// Whatever keeps the evidence from proving anything.
    async fn attest(
        &self,
        payload: &[u8],
        address: Option<IpAddr>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<NodeFindings, AttestError>;
}

/// The agent's half of a way to attest nodes.
#[async_trait]
pub trait NodeEvidenceSource: Send + Sync + Debug {
    /// The kind of evidence it has, such as `join_token`.
    fn kind(&self) -> &str;

    /// The evidence to begin an attestation with.
    ///
    /// # Errors
    /// When the evidence cannot be obtained.
    async fn payload(&mut self) -> Result<Vec<u8>, AttestError>;

    /// The answer to a challenge of the server.
    ///
    /// # Errors
    /// When there is no answer to it; the attestation ends.
    async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, AttestError>;
}

/// What an attestor found out about a node. A claim, not yet a proof.
#[derive(Clone, Debug)]
pub struct NodeFindings {
    /// The SPIFFE ID of the agent: below `/spire/agent/<kind>/` of the server's trust domain.
    pub id: SpiffeId,
    /// What is known about the node; every selector is of the attestor's type.
    pub selectors: SelectorSet,
    /// The evidence may be shown again. False when it counts only once, or only for the first who shows it.
    pub can_reattest: bool,
}

/// The node attestors of a server, by kind. The only source of [`AttestedNode`].
#[derive(Debug)]
pub struct NodeAttestors {
    trust_domain: TrustDomain,
    by_kind: BTreeMap<String, Arc<dyn NodeAttestor>>,
}

impl NodeAttestors {
    /// The attestors that `trust_domain` trusts. Of two with the same kind, the later one counts.
    pub fn new(
        trust_domain: TrustDomain,
        attestors: impl IntoIterator<Item = Arc<dyn NodeAttestor>>,
    ) -> Self {
        let by_kind = attestors.into_iter().map(|attestor| (attestor.kind().to_owned(), attestor)).collect();
        Self { trust_domain, by_kind }
    }

    /// Judges the evidence of an agent, which calls from `address`.
    ///
    /// # Errors
    /// [`AttestError::UnknownKind`] when no attestor judges this kind; otherwise what the attestor says, or what is
    /// wrong with its findings: an agent outside `/spire/agent/<kind>/`, a selector of another type.
    pub async fn attest(
        &self,
        kind: &str,
        payload: &[u8],
        address: Option<IpAddr>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestedNode, AttestError> {
        let attestor =
            self.by_kind.get(kind).ok_or_else(|| AttestError::UnknownKind { kind: kind.to_owned() })?;
        let findings = attestor.attest(payload, address, dialogue).await?;
        self.admit(kind, findings)
    }

    /// An attestor speaks only for agents below its own path and in selectors of its own type.
    fn admit(&self, kind: &str, findings: NodeFindings) -> Result<AttestedNode, AttestError> {
        let NodeFindings { id, selectors, can_reattest } = findings;
        let below = id.path().strip_prefix("/spire/agent/").and_then(|rest| rest.strip_prefix(kind));
        if !id.is_member_of(&self.trust_domain) || !below.is_some_and(|rest| rest.starts_with('/')) {
            let trust_domain = self.trust_domain.clone();
            return Err(AttestError::ForeignAgent { kind: kind.to_owned(), id, trust_domain });
        }
        if let Some(foreign) = selectors.iter().find(|selector| selector.kind() != kind) {
            let foreign = foreign.kind().to_owned();
            return Err(AttestError::ForeignSelector { kind: kind.to_owned(), foreign });
        }
        Ok(AttestedNode { id, kind: kind.to_owned(), selectors, can_reattest })
    }
}

/// The proof that an agent runs on the node that it claims. Made by [`NodeAttestors`] alone.
#[derive(Debug)]
pub struct AttestedNode {
    id: SpiffeId,
    kind: String,
    selectors: SelectorSet,
    can_reattest: bool,
}

impl AttestedNode {
    /// The SPIFFE ID that the agent gets.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// How it was attested: `join_token`, …
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What is known about the node.
    pub fn selectors(&self) -> &SelectorSet {
        &self.selectors
    }

    /// The agent may attest again with the same kind of evidence, and so does not renew its SVID.
    pub fn can_reattest(&self) -> bool {
        self.can_reattest
    }
}
