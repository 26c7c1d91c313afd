//! `Debug` for the messages that carry a secret: it names the message and shows nothing of it.

use std::fmt::{Debug, Formatter, Result};

use crate::proto::{agent, data_source, delegated, discovery, envoy_core, svid, types, workload};

/// Writes `Debug` for messages whose derived one `xtask proto` leaves out (`SECRET` there).
macro_rules! redacted {
    ($($message:ty => $name:literal,)*) => {$(
        impl Debug for $message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.write_str(concat!($name, "(…)"))
            }
        }
    )*};
}

redacted! {
    agent::AgentX509svidParams => "AgentX509SVIDParams",
    agent::CreateJoinTokenRequest => "CreateJoinTokenRequest",
    agent::AttestAgentRequest => "AttestAgentRequest",
    agent::AttestAgentResponse => "AttestAgentResponse",
    agent::attest_agent_request::Params => "AttestAgentRequest.Params",
    agent::attest_agent_request::Step => "AttestAgentRequest.step",
    agent::attest_agent_response::Result => "AttestAgentResponse.Result",
    agent::attest_agent_response::Step => "AttestAgentResponse.step",
    data_source::Specifier => "DataSource.specifier",
    delegated::X509svidWithKey => "X509SVIDWithKey",
    discovery::DeltaDiscoveryResponse => "DeltaDiscoveryResponse",
    discovery::DiscoveryResponse => "DiscoveryResponse",
    discovery::Resource => "Resource",
    envoy_core::DataSource => "DataSource",
    svid::MintX509svidRequest => "MintX509SVIDRequest",
    svid::NewDownstreamX509caRequest => "NewDownstreamX509CARequest",
    svid::NewX509svidParams => "NewX509SVIDParams",
    types::AttestationData => "AttestationData",
    types::JoinToken => "JoinToken",
    types::Jwtsvid => "JWTSVID",
    types::Selector => "Selector",
    types::Witsvid => "WITSVID",
    workload::Jwtsvid => "JWTSVID",
    workload::ValidateJwtsvidRequest => "ValidateJWTSVIDRequest",
    workload::ValidateJwtsvidResponse => "ValidateJWTSVIDResponse",
    workload::Witsvid => "WITSVID",
    workload::X509svid => "X509SVID",
}

#[cfg(test)]
mod tests;
