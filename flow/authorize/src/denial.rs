//! What a caller hears who may not.

use finial_identity::{EntryId, SpiffeId, TrustDomain};
use finial_wire::AgentDenial;

/// No. The texts are SPIRE's, but for [`Denial::Agent`]: there SPIRE spells the reason out, and we leave it to
/// [`agent_reason`](Denial::agent_reason), which is what agents read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The caller is not of those who may call the method, or there is no such method.
    #[error("authorization denied for method {method}")]
    Method {
        /// The full name of the method: `/<package>.<service>/<method>`.
        method: String,
    },
    /// The caller is an agent, and the method is for agents, but not for this one as it is.
    #[error("authorization denied for method {method}")]
    Agent {
        /// The full name of the method.
        method: String,
        /// What is wrong with the agent.
        reason: AgentDenial,
    },
    /// The agent has attested, and is banned.
    #[error("agent is banned")]
    Banned {
        /// The agent.
        id: SpiffeId,
    },
    /// The agent asks to renew its SVID, but can attest again.
    #[error("agent must reattest instead of renew")]
    MustReattest {
        /// The agent.
        id: SpiffeId,
    },
    /// The process has no identity at all, so that it cannot be a delegate.
    #[error("no identity issued")]
    NoIdentity,
    /// None of the process's identities is a configured delegate.
    #[error("caller not configured as an authorized delegate")]
    NotADelegate,
    /// An operator asks to mint an identity that is not a workload's.
    #[error("`{id}` is not the id of a workload of trust domain `{trust_domain}`")]
    NotAWorkload {
        /// The ID at fault.
        id: SpiffeId,
        /// The server's trust domain.
        trust_domain: TrustDomain,
    },
    /// There is no such entry, or it is not one of the agent's. Which of both is not for the agent to know.
    #[error("entry not found or not authorized")]
    Entry {
        /// The entry that was asked for.
        id: EntryId,
    },
}

impl Denial {
    /// What to tell an agent beside the text (`PermissionDeniedDetails`).
    pub fn agent_reason(&self) -> Option<AgentDenial> {
        match self {
            Self::Agent { reason, .. } => Some(*reason),
            Self::Banned { .. } => Some(AgentDenial::Banned),
            Self::MustReattest { .. } => Some(AgentDenial::MustReattest),
            Self::Method { .. }
            | Self::NoIdentity
            | Self::NotADelegate
            | Self::NotAWorkload { .. }
            | Self::Entry { .. } => None,
        }
    }

    /// The answer comes from memory, and the agent may have just attested or renewed through another server: read its
    /// node at the primary and ask [`authorize_with_node`](crate::Authorizer::authorize_with_node) before refusing.
    pub fn needs_confirmation(&self) -> bool {
        matches!(self.agent_reason(), Some(AgentDenial::NotAttested | AgentDenial::NotActive))
    }
}
