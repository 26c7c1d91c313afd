//! Agents.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::Node;
use tonic::Code;

use super::{
    agent, agent_id, attestation, csr, join_token, join_token_request, list_filter, to_agent, to_csr,
    to_join_token, to_join_token_request, to_list_filter, to_params,
};
use crate::convert::id::to_spiffe_id;
use crate::harness::{agent_id as an_agent, id, node, noon, selector};
use crate::proto::agent as proto;
use crate::proto::types;
use crate::{AgentFilter, JoinToken, JoinTokenRequest, NodeEvidence, SelectorMatch, SetMatch};

#[test]
fn agents_survive_the_wire() {
    let banned = Node { serial_number: String::new(), ..node("two") };
    for node in [node("one"), banned] {
        assert_eq!(agent(to_agent(&node, None)).unwrap(), node);
    }
}

#[test]
fn mask_leaves_only_the_id() {
    let sent = to_agent(&node("one"), Some(types::AgentMask::default()));
    assert_eq!(sent, types::Agent { id: Some(to_spiffe_id(&an_agent("one"))), ..Default::default() });
}

#[test]
fn each_field_of_the_mask_shows_its_own() {
    let whole = to_agent(&Node { serial_number: String::new(), ..node("one") }, None);
    let masked = |mask| to_agent(&Node { serial_number: String::new(), ..node("one") }, Some(mask));
    let none = types::AgentMask::default;
    assert_eq!(
        masked(types::AgentMask { attestation_type: true, ..none() }).attestation_type,
        whole.attestation_type
    );
    assert_eq!(
        masked(types::AgentMask { x509svid_expires_at: true, ..none() }).x509svid_expires_at,
        whole.x509svid_expires_at
    );
    assert_eq!(masked(types::AgentMask { selectors: true, ..none() }).selectors, whole.selectors);
    assert_eq!(masked(types::AgentMask { agent_version: true, ..none() }).agent_version, whole.agent_version);
    assert!(masked(types::AgentMask { banned: true, ..none() }).banned);
    assert!(masked(types::AgentMask { can_reattest: true, ..none() }).can_reattest);
    let serial = to_agent(&node("one"), Some(types::AgentMask { x509svid_serial_number: true, ..none() }));
    assert_eq!(serial.x509svid_serial_number, "1234");
}

#[test]
fn agent_id_must_be_that_of_an_agent() {
    assert_eq!(agent_id(Some(to_spiffe_id(&an_agent("one")))).unwrap(), an_agent("one"));
    for given in [None, Some(to_spiffe_id(&id("/db"))), Some(to_spiffe_id(&id("/spire/server")))] {
        let error = agent_id(given).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().starts_with("invalid agent ID: "), "{error}");
    }
}

#[test]
fn attestation_needs_every_part() {
    let evidence =
        |kind: &str, payload: &[u8]| NodeEvidence { kind: kind.to_owned(), payload: payload.to_vec() };
    let good = to_params(evidence("join_token", b"t"), b"csr".to_vec());
    assert_eq!(attestation(Some(good)).unwrap(), (evidence("join_token", b"t"), b"csr".to_vec()));
    let response = proto::attest_agent_request::Step::ChallengeResponse(b"r".to_vec());
    let no_data = proto::attest_agent_request::Params { data: None, params: Some(to_csr(b"csr".to_vec())) };
    let step = |step| Some(proto::AttestAgentRequest { step: Some(step) });
    for (request, problem) in [
        (None, "missing params"),
        (Some(proto::AttestAgentRequest { step: None }), "missing params"),
        (step(response), "missing params"),
        (step(proto::attest_agent_request::Step::Params(no_data)), "missing attestation data"),
        (Some(to_params(evidence("", b"t"), b"csr".to_vec())), "missing attestation data type"),
        (Some(to_params(evidence("join_token", b""), b"csr".to_vec())), "missing attestation data payload"),
        (Some(to_params(evidence("join_token", b"t"), Vec::new())), "missing CSR"),
    ] {
        let error = attestation(request).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.message(), format!("malformed param: {problem}"));
    }
    assert_eq!(csr(None).unwrap_err().to_string(), "missing X509-SVID parameters");
}

#[test]
fn join_tokens_survive_the_wire() {
    let request = JoinTokenRequest {
        ttl: Duration::from_secs(600),
        token: Some("t".to_owned()),
        agent_id: Some(id("/host")),
    };
    assert_eq!(join_token_request(to_join_token_request(request.clone())).unwrap(), request);
    let token = JoinToken { value: "t".to_owned(), expires_at: noon() };
    assert_eq!(join_token(to_join_token(token.clone())).unwrap(), token);
}

#[test]
fn join_token_needs_a_ttl() {
    for (ttl, problem) in [(0, "ttl is required, you must provide one"), (-5, "ttl must not be negative: -5")]
    {
        let request = proto::CreateJoinTokenRequest { ttl, ..Default::default() };
        assert_eq!(join_token_request(request).unwrap_err().message(), problem);
    }
}

#[test]
fn filters_survive_the_wire() {
    let filter = AgentFilter {
        attestation_type: Some("join_token".to_owned()),
        selectors: Some(SelectorMatch {
            selectors: [selector("a:1")].into_iter().collect(),
            rule: SetMatch::Any,
        }),
        banned: Some(false),
        can_reattest: Some(true),
        expires_before: Some(noon()),
    };
    for filter in [filter, AgentFilter::default()] {
        assert_eq!(list_filter(Some(to_list_filter(filter.clone()))).unwrap(), filter);
    }
    assert_eq!(list_filter(None).unwrap(), AgentFilter::default());
}

#[test]
fn malformed_expiry_filter_is_refused_rather_than_ignored() {
    let filter =
        proto::list_agents_request::Filter { by_expires_before: "soon".to_owned(), ..Default::default() };
    assert_eq!(list_filter(Some(filter)).unwrap_err().code(), Code::InvalidArgument);
}
