//! No secret shows in `Debug`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Debug;
use std::time::Duration;

use crate::convert::{agent as convert, svid as svids, workload as convert_workload};
use crate::harness::{Ca, jwt_svid, noon};
use crate::proto::{agent, delegated, svid, types, workload};
use crate::{JoinToken, JoinTokenRequest, NodeEvidence};

const SECRET: &str = "SECRET";

fn hides_the_secret(message: &dyn Debug) {
    let text = format!("{message:?}");
    let bytes = format!("{:?}", SECRET.as_bytes());
    assert!(!text.contains(SECRET) && !text.contains(bytes.trim_matches(['[', ']'])), "{text}");
}

#[test]
fn rule_10_messages_hide_their_secrets() {
    let text = || SECRET.to_owned();
    let bytes = || SECRET.as_bytes().to_vec();
    let evidence = || NodeEvidence { kind: "join_token".to_owned(), payload: bytes() };
    let challenge = agent::attest_agent_response::Step::Challenge(bytes());
    let response = agent::attest_agent_request::Step::ChallengeResponse(bytes());
    hides_the_secret(&evidence());
    hides_the_secret(&convert::to_params(evidence(), bytes()));
    hides_the_secret(&agent::AttestAgentRequest { step: Some(response.clone()) });
    hides_the_secret(&response);
    hides_the_secret(&agent::AttestAgentResponse { step: Some(challenge.clone()) });
    hides_the_secret(&challenge);
    hides_the_secret(&agent::RenewAgentRequest { params: Some(convert::to_csr(bytes())) });
    hides_the_secret(&agent::CreateJoinTokenRequest { token: text(), ..Default::default() });
    hides_the_secret(&types::JoinToken { value: text(), ..Default::default() });
    hides_the_secret(&types::AttestationData { payload: bytes(), ..Default::default() });
    hides_the_secret(&types::Selector { r#type: "unix".to_owned(), value: text() });
    hides_the_secret(&types::Witsvid { token: text(), ..Default::default() });
    hides_the_secret(&svid::MintX509svidRequest { csr: bytes(), ttl: 0 });
    hides_the_secret(&svid::NewX509svidParams { entry_id: "one".to_owned(), csr: bytes() });
    hides_the_secret(&svid::NewDownstreamX509caRequest { csr: bytes(), preferred_ttl: 0 });
    let key = delegated::X509svidWithKey { x509_svid_key: bytes(), ..Default::default() };
    hides_the_secret(&delegated::SubscribeToX509sviDsResponse {
        x509_svids: vec![key],
        ..Default::default()
    });
    hides_the_secret(&workload::ValidateJwtsvidRequest { svid: text(), ..Default::default() });
    hides_the_secret(&workload::Witsvid { wit_svid: text(), wit_svid_key: text(), ..Default::default() });
    let key = workload::X509svid { x509_svid_key: bytes(), ..Default::default() };
    hides_the_secret(&workload::X509svidResponse { svids: vec![key], ..Default::default() });
}

#[test]
fn tokens_inside_answers_are_hidden() {
    let svid = jwt_svid("/web", &["db"]);
    for text in [
        format!("{:?}", types::Jwtsvid { token: svid.token().to_owned(), ..svids::to_jwt_svid(&svid) }),
        format!("{:?}", workload::JwtsvidResponse { svids: vec![convert_workload::to_jwt_svid(&svid)] }),
        format!("{:?}", convert_workload::to_validated(&svid)),
    ] {
        assert!(!text.contains(svid.token()) && !text.contains("exp"), "{text}");
    }
}

#[test]
fn nouns_of_this_crate_hide_their_secrets() {
    let ttl = Duration::from_secs(60);
    hides_the_secret(&JoinTokenRequest { ttl, token: Some(SECRET.to_owned()), agent_id: None });
    hides_the_secret(&JoinToken { value: SECRET.to_owned(), expires_at: noon() });
    let ca = Ca::new("example.org");
    let credentials = vec![ca.credential("/web", "")];
    let key = format!("{:?}", credentials[0].key().pkcs8_der());
    let bundles = [std::sync::Arc::new(ca.bundle())].into_iter().collect();
    let context = crate::X509Context { credentials, bundles, trust_domain: crate::harness::trust_domain() };
    assert!(!format!("{context:?}").contains(key.trim_matches(['[', ']'])));
}
