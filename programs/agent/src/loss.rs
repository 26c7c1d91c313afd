//! How an agent can lose its identity for good, and the one command that brings it back.

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use finial_daemon::go;
use finial_identity::{SpiffeId, TrustDomain};
use finial_wire::{AgentDenial, agent_denial};
use tonic::{Code, Status};

/// The agent has no identity and cannot get one by itself: a join token is good for one attestation.
#[derive(Debug, thiserror::Error)]
pub enum Loss {
    /// The server turns the agent away.
    #[error("the server turns {id} away: {}; {}", reason(*denial), remedy(&id.trust_domain()))]
    Denied {
        /// The agent.
        id: SpiffeId,
        /// Why.
        denial: AgentDenial,
    },
    /// An operator shut the agent out, which could attest again.
    #[error(
        "the server turns {id} away: {}; let it back with `finial agent evict -spiffeID {id}` on the server, and start \
         this agent again",
        reason(AgentDenial::Banned)
    )]
    Banned {
        /// The agent.
        id: SpiffeId,
    },
    /// The SVID ran out while the server could not be reached.
    #[error(
        "the SVID of {id} expired at {} and was not renewed in time; {}",
        go::format_time(*at),
        remedy(&id.trust_domain())
    )]
    Expired {
        /// The agent.
        id: SpiffeId,
        /// When its SVID expired.
        at: SystemTime,
    },
    /// The stored SVID has no key.
    #[error(
        "the key of the stored SVID of {id} is gone, as keys in memory are after each restart; {}",
        remedy(&id.trust_domain())
    )]
    KeyGone {
        /// The agent.
        id: SpiffeId,
    },
    /// The agent has never attested.
    #[error("this agent has no identity yet, and no join token to get one with; {}", remedy(.0))]
    NeverJoined(TrustDomain),
    /// The servers lead to no authority that this agent knows.
    #[error(
        "since {} no server of {trust_domain} can be verified: its authorities were replaced while this agent was away, \
         or somebody else answers in its place; see with `finial bundle show` on the server which it is, \
         and let this agent fetch the bundle again with `finial agent run -rebootstrapMode auto`",
        go::format_time(*since)
    )]
    Estranged {
        /// Whose servers.
        trust_domain: TrustDomain,
        /// Since when.
        since: SystemTime,
    },
    /// The server can be verified again, but its authorities no longer know the agent.
    #[error(
        "the server's authorities were replaced while this agent was away, and know {id} no more; {}",
        remedy(&id.trust_domain())
    )]
    Replaced {
        /// The agent.
        id: SpiffeId,
    },
    /// The token did not convince.
    #[error("the server refused the attestation: {}; {}", status.message(), remedy(trust_domain))]
    Refused {
        /// Where the agent wanted to join.
        trust_domain: TrustDomain,
        /// Told in full by the message.
        status: Box<Status>,
    },
    /// What the node can show did not convince.
    #[error(
        "the server refused the attestation by {kind}: {}; see that it has NodeAttestor \"{kind}\", that it accepts what \
         this node shows, and that nobody banned this agent (`finial agent list`); then start this agent again",
        status.message()
    )]
    Unconvinced {
        /// How the node attests.
        kind: String,
        /// Told in full by the message.
        status: Box<Status>,
    },
}

impl Loss {
    /// What has happened, without what to do about it.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Denied { denial, .. } => reason(*denial).to_owned(),
            Self::Banned { .. } => reason(AgentDenial::Banned).to_owned(),
            Self::Expired { at, .. } => format!("its SVID expired at {}", go::format_time(*at)),
            Self::KeyGone { .. } => "its key is gone".to_owned(),
            Self::NeverJoined(_) => "it has never attested".to_owned(),
            Self::Estranged { .. } => "no server can be verified".to_owned(),
            Self::Replaced { .. } => "the server's authorities were replaced".to_owned(),
            Self::Refused { status, .. } | Self::Unconvinced { status, .. } => status.message().to_owned(),
        }
    }

    /// The server's denial. A ban is final for an agent that could otherwise attest again by itself.
    pub(crate) fn denied(id: SpiffeId, denial: AgentDenial, has_evidence: bool) -> Self {
        match denial {
            AgentDenial::Banned if has_evidence => Self::Banned { id },
            _ => Self::Denied { id, denial },
        }
    }

    /// The server's refusal of evidence of this kind.
    pub(crate) fn refused(trust_domain: TrustDomain, kind: &str, status: Status) -> Self {
        let status = Box::new(status);
        match kind {
            "join_token" => Self::Refused { trust_domain, status },
            _ => Self::Unconvinced { kind: kind.to_owned(), status },
        }
    }
}

/// What a failed call means for the agent that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The agent is not to come back with the SVID that it has.
    Denied(AgentDenial),
    /// The server will say the same again.
    Refused,
    /// It may pass: the server was not reached, or was in trouble itself.
    Passing,
}

impl Verdict {
    pub(crate) fn on(status: &Status) -> Self {
        if let Some(denial) = agent_denial(status) {
            return Self::Denied(denial);
        }
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Self::Refused,
            _ => Self::Passing,
        }
    }
}

fn reason(denial: AgentDenial) -> &'static str {
    match denial {
        AgentDenial::Expired => "its SVID has expired",
        AgentDenial::NotAttested => "it knows no such agent, which an operator may have evicted",
        AgentDenial::NotActive => "a newer SVID of the agent is in use, perhaps by a copy of this node",
        AgentDenial::Banned => "an operator banned it",
        AgentDenial::MustReattest => "it must attest again",
    }
}

fn remedy(trust_domain: &TrustDomain) -> String {
    format!(
        "make a join token with `finial token generate -spiffeID {}/<name of this node>` on the server, and start this \
         agent with `finial agent run -joinToken <token>`",
        trust_domain.id()
    )
}
