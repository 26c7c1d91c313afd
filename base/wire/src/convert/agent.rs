//! Agents, their evidence and their join tokens.

use std::time::UNIX_EPOCH;

use finial_identity::{Node, SpiffeId};
use tonic::Status;

use super::{filter, id, time};
use crate::error::WireError;
use crate::proto::agent as proto;
use crate::proto::agent::attest_agent_request::Step;
use crate::proto::types;
use crate::{AgentFilter, JoinToken, JoinTokenRequest, NodeEvidence};

/// All fields of an agent: what a missing mask means.
const EVERYTHING: types::AgentMask = types::AgentMask {
    attestation_type: true,
    x509svid_serial_number: true,
    x509svid_expires_at: true,
    selectors: true,
    banned: true,
    can_reattest: true,
    agent_version: true,
};

/// The agent, with the fields of the mask.
pub(crate) fn to_agent(node: &Node, mask: Option<types::AgentMask>) -> types::Agent {
    let mask = mask.unwrap_or(EVERYTHING);
    let text = |wanted: bool, value: &str| if wanted { value.to_owned() } else { String::new() };
    types::Agent {
        id: Some(id::to_spiffe_id(&node.id)),
        attestation_type: text(mask.attestation_type, &node.attestation_type),
        x509svid_serial_number: text(mask.x509svid_serial_number, &node.serial_number),
        x509svid_expires_at: if mask.x509svid_expires_at { time::seconds(node.expires_at) } else { 0 },
        selectors: if mask.selectors { id::to_selectors(&node.selectors) } else { Vec::new() },
        banned: mask.banned && node.is_banned(),
        can_reattest: mask.can_reattest && node.can_reattest,
        agent_version: text(mask.agent_version, &node.agent_version),
    }
}

/// An agent as a server lists it, which keeps a pending renewal to itself.
pub(crate) fn agent(agent: types::Agent) -> Result<Node, WireError> {
    let serial_number = if agent.banned { String::new() } else { agent.x509svid_serial_number };
    Ok(Node {
        id: id::spiffe_id("agent's id", agent.id)?,
        attestation_type: agent.attestation_type,
        serial_number,
        expires_at: time::optional_instant("agent's x509svid_expires_at", agent.x509svid_expires_at)?
            .unwrap_or(UNIX_EPOCH),
        new_serial_number: None,
        new_expires_at: None,
        selectors: id::any_selectors(agent.selectors)?,
        can_reattest: agent.can_reattest,
        agent_version: agent.agent_version,
    })
}

/// The ID in a request about one agent.
pub(crate) fn agent_id(given: Option<types::Spiffeid>) -> Result<SpiffeId, Status> {
    let id = id::spiffe_id("agent ID", given).map_err(|error| error.refusal_of("invalid agent ID"))?;
    if !id.is_agent() {
        return Err(Status::invalid_argument(format!(
            "invalid agent ID: `{id}` is not below /spire/agent of its trust domain"
        )));
    }
    Ok(id)
}

/// The first message of an attestation. Every part must be there.
pub(crate) fn attestation(
    request: Option<proto::AttestAgentRequest>,
) -> Result<(NodeEvidence, Vec<u8>), Status> {
    params(request).map_err(|error| error.refusal_of("malformed param"))
}

fn params(request: Option<proto::AttestAgentRequest>) -> Result<(NodeEvidence, Vec<u8>), WireError> {
    let Some(Step::Params(params)) = request.and_then(|request| request.step) else {
        return Err(WireError::Missing("params"));
    };
    let data = params.data.ok_or(WireError::Missing("attestation data"))?;
    if data.r#type.is_empty() {
        return Err(WireError::Missing("attestation data type"));
    }
    if data.payload.is_empty() {
        return Err(WireError::Missing("attestation data payload"));
    }
    Ok((NodeEvidence { kind: data.r#type, payload: data.payload }, csr(params.params)?))
}

pub(crate) fn to_params(evidence: NodeEvidence, csr: Vec<u8>) -> proto::AttestAgentRequest {
    let data = types::AttestationData { r#type: evidence.kind, payload: evidence.payload };
    let params = proto::attest_agent_request::Params { data: Some(data), params: Some(to_csr(csr)) };
    proto::AttestAgentRequest { step: Some(Step::Params(params)) }
}

/// The CSR of an agent.
pub(crate) fn csr(params: Option<proto::AgentX509svidParams>) -> Result<Vec<u8>, WireError> {
    let csr = params.ok_or(WireError::Missing("X509-SVID parameters"))?.csr;
    if csr.is_empty() {
        return Err(WireError::Missing("CSR"));
    }
    Ok(csr)
}

pub(crate) fn to_csr(csr: Vec<u8>) -> proto::AgentX509svidParams {
    proto::AgentX509svidParams { csr }
}

pub(crate) fn join_token_request(request: proto::CreateJoinTokenRequest) -> Result<JoinTokenRequest, Status> {
    let ttl = time::ttl("ttl", request.ttl).map_err(WireError::refusal)?;
    let ttl = ttl.ok_or_else(|| Status::invalid_argument("ttl is required, you must provide one"))?;
    let agent_id = id::optional_spiffe_id("agent_id", request.agent_id).map_err(WireError::refusal)?;
    Ok(JoinTokenRequest { ttl, token: (!request.token.is_empty()).then_some(request.token), agent_id })
}

pub(crate) fn to_join_token_request(request: JoinTokenRequest) -> proto::CreateJoinTokenRequest {
    proto::CreateJoinTokenRequest {
        ttl: time::ttl_seconds(Some(request.ttl)),
        token: request.token.unwrap_or_default(),
        agent_id: request.agent_id.as_ref().map(id::to_spiffe_id),
    }
}

pub(crate) fn to_join_token(token: JoinToken) -> types::JoinToken {
    types::JoinToken { value: token.value, expires_at: time::seconds(token.expires_at) }
}

pub(crate) fn join_token(token: types::JoinToken) -> Result<JoinToken, WireError> {
    let expires_at = time::instant("join token's expires_at", token.expires_at)?;
    Ok(JoinToken { value: token.value, expires_at })
}

/// Upstream has the same filter twice, under two names.
pub(crate) fn count_filter(
    given: Option<proto::count_agents_request::Filter>,
) -> Result<AgentFilter, Status> {
    list_filter(given.map(|given| proto::list_agents_request::Filter {
        by_attestation_type: given.by_attestation_type,
        by_selector_match: given.by_selector_match,
        by_banned: given.by_banned,
        by_can_reattest: given.by_can_reattest,
        by_expires_before: given.by_expires_before,
    }))
}

pub(crate) fn list_filter(given: Option<proto::list_agents_request::Filter>) -> Result<AgentFilter, Status> {
    given.map_or_else(|| Ok(AgentFilter::default()), agent_filter).map_err(WireError::refusal)
}

fn agent_filter(given: proto::list_agents_request::Filter) -> Result<AgentFilter, WireError> {
    let text = |text: String| (!text.is_empty()).then_some(text);
    Ok(AgentFilter {
        attestation_type: text(given.by_attestation_type),
        selectors: given.by_selector_match.map(filter::selector_match).transpose()?,
        banned: given.by_banned,
        can_reattest: given.by_can_reattest,
        expires_before: text(given.by_expires_before).map(|text| time::expires_before(&text)).transpose()?,
    })
}

pub(crate) fn to_list_filter(given: AgentFilter) -> proto::list_agents_request::Filter {
    proto::list_agents_request::Filter {
        by_attestation_type: given.attestation_type.unwrap_or_default(),
        by_selector_match: given.selectors.as_ref().map(filter::to_selector_match),
        by_banned: given.banned,
        by_can_reattest: given.can_reattest,
        by_expires_before: given.expires_before.map(time::to_expires_before).unwrap_or_default(),
    }
}

pub(crate) fn to_count_filter(given: AgentFilter) -> proto::count_agents_request::Filter {
    let given = to_list_filter(given);
    proto::count_agents_request::Filter {
        by_attestation_type: given.by_attestation_type,
        by_selector_match: given.by_selector_match,
        by_banned: given.by_banned,
        by_can_reattest: given.by_can_reattest,
        by_expires_before: given.by_expires_before,
    }
}

#[cfg(test)]
mod tests;
