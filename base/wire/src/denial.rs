//! Why an agent is turned away: travels with PERMISSION_DENIED so that the agent knows what to do next.

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use crate::proto::rpc;
use crate::proto::types::{PermissionDeniedDetails, permission_denied_details::Reason};

const TYPE_URL: &str = "type.googleapis.com/spire.api.types.PermissionDeniedDetails";

/// Why an agent is turned away (SPIRE's `PermissionDeniedDetails`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentDenial {
    /// Its SVID is past its time.
    Expired,
    /// The server knows no such agent.
    NotAttested,
    /// A newer SVID of it is in use.
    NotActive,
    /// An operator shut it out.
    Banned,
    /// It renews by attesting again.
    MustReattest,
}

/// The status that turns an agent away and says why, in `grpc-status-details-bin`.
pub fn denied(denial: AgentDenial, message: impl Into<String>) -> Status {
    let message = message.into();
    let details = PermissionDeniedDetails { reason: denial.reason().into() };
    let details = rpc::Status {
        code: Code::PermissionDenied.into(),
        message: message.clone(),
        details: vec![Any { type_url: TYPE_URL.to_owned(), value: details.encode_to_vec() }],
    };
    Status::with_details(Code::PermissionDenied, message, details.encode_to_vec().into())
}

/// Why this agent was turned away, if the status says so.
pub fn agent_denial(status: &Status) -> Option<AgentDenial> {
    if status.code() != Code::PermissionDenied {
        return None;
    }
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let details = details.iter().find(|any| any.type_url == TYPE_URL)?;
    AgentDenial::from_reason(PermissionDeniedDetails::decode(details.value.as_slice()).ok()?.reason())
}

impl AgentDenial {
    fn reason(self) -> Reason {
        match self {
            Self::Expired => Reason::AgentExpired,
            Self::NotAttested => Reason::AgentNotAttested,
            Self::NotActive => Reason::AgentNotActive,
            Self::Banned => Reason::AgentBanned,
            Self::MustReattest => Reason::AgentMustReattest,
        }
    }

    fn from_reason(reason: Reason) -> Option<Self> {
        match reason {
            Reason::Unknown => None,
            Reason::AgentExpired => Some(Self::Expired),
            Reason::AgentNotAttested => Some(Self::NotAttested),
            Reason::AgentNotActive => Some(Self::NotActive),
            Reason::AgentBanned => Some(Self::Banned),
            Reason::AgentMustReattest => Some(Self::MustReattest),
        }
    }
}

#[cfg(test)]
mod tests;
