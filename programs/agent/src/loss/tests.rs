//! What each answer of the server means for the agent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_identity::{SpiffeId, TrustDomain};
use finial_wire::{AgentDenial, denied};
use tonic::{Code, Status};

use super::{Loss, Verdict};

const COMMAND: &str = "`finial token generate -spiffeID spiffe://example.org/<name of this node>` on the server, and \
                       start this agent with `finial agent run -joinToken <token>`";

fn agent() -> SpiffeId {
    SpiffeId::parse("spiffe://example.org/spire/agent/join_token/t").unwrap()
}

const DENIALS: [AgentDenial; 5] = [
    AgentDenial::Expired,
    AgentDenial::NotAttested,
    AgentDenial::NotActive,
    AgentDenial::Banned,
    AgentDenial::MustReattest,
];

#[test]
fn every_denial_is_told_from_other_refusals() {
    for denial in DENIALS {
        assert_eq!(Verdict::on(&denied(denial, "no")), Verdict::Denied(denial));
    }
    assert_eq!(Verdict::on(&Status::permission_denied("no")), Verdict::Refused);
}

#[test]
fn an_outage_is_never_a_reason_to_end() {
    let passing = [
        Code::Unavailable,
        Code::DeadlineExceeded,
        Code::Unknown,
        Code::Internal,
        Code::Cancelled,
        Code::Aborted,
        Code::ResourceExhausted,
        Code::DataLoss,
    ];
    for code in passing {
        assert_eq!(Verdict::on(&Status::new(code, "later")), Verdict::Passing, "{code:?}");
    }
}

#[test]
fn a_used_token_is_not_shown_again() {
    let used =
        Status::invalid_argument("failed to attest: join token does not exist or has already been used");
    assert_eq!(Verdict::on(&used), Verdict::Refused);
}

#[test]
fn every_loss_names_the_command_that_brings_the_agent_back() {
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let mut losses: Vec<_> = DENIALS.map(|denial| Loss::Denied { id: agent(), denial }).into();
    losses.push(Loss::Expired { id: agent(), at: SystemTime::UNIX_EPOCH + Duration::from_secs(1) });
    losses.push(Loss::KeyGone { id: agent() });
    losses.push(Loss::NeverJoined(trust_domain.clone()));
    losses.push(Loss::Refused { trust_domain, status: Box::new(Status::invalid_argument("used")) });
    for loss in losses {
        let text = loss.to_string();
        assert!(text.contains(COMMAND), "{text}");
    }
}

#[test]
fn a_ban_says_so() {
    let text = Loss::Denied { id: agent(), denial: AgentDenial::Banned }.to_string();
    let start =
        "the server turns spiffe://example.org/spire/agent/join_token/t away: an operator banned it; ";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn an_agent_that_can_attest_again_is_told_how_to_be_let_back() {
    let banned = Loss::denied(agent(), AgentDenial::Banned, true).to_string();
    let remedy = "`finial agent evict -spiffeID spiffe://example.org/spire/agent/join_token/t`";
    assert!(banned.contains("an operator banned it") && banned.contains(remedy), "{banned}");
    for denial in DENIALS {
        let text = Loss::denied(agent(), denial, false).to_string();
        assert!(text.contains(COMMAND), "{text}");
    }
}

#[test]
fn a_refusal_names_what_was_shown() {
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let status = || Status::permission_denied("failed to attest: certificate verification failed");
    let token = Loss::refused(trust_domain.clone(), "join_token", status()).to_string();
    assert!(token.contains(COMMAND), "{token}");
    let certificate = Loss::refused(trust_domain, "x509pop", status()).to_string();
    assert!(certificate.contains("certificate verification failed"), "{certificate}");
    assert!(
        certificate.contains("NodeAttestor \"x509pop\"") && !certificate.contains(COMMAND),
        "{certificate}"
    );
}
