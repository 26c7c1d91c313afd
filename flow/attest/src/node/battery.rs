//! What every node attestor must do, ours or foreign: an implementation's tests call [`run`] with both halves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests that other crates run too")]

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::TrustDomain;
use finial_wire::server::Dialogue;
use tonic::Status;

use crate::{AttestError, AttestedNode, NodeAttestor, NodeAttestors, NodeEvidenceSource};

/// Runs all tests on an attestor of `trust_domain` and evidence that convinces it and has not been shown yet.
///
/// # Panics
/// When one fails, with the sentence that does not hold.
pub async fn run(
    trust_domain: &TrustDomain,
    attestor: Arc<dyn NodeAttestor>,
    evidence: &mut dyn NodeEvidenceSource,
) {
    assert_eq!(attestor.kind(), evidence.kind(), "both halves have one name");
    let attestors = NodeAttestors::new(trust_domain.clone(), [attestor]);
    garbage_proves_nothing(&attestors, evidence).await;
    let node = good_evidence_names_an_agent_of_its_kind(trust_domain, &attestors, evidence).await;
    evidence_counts_again_only_when_it_says_so(&attestors, evidence, &node).await;
    agent_that_hangs_up_is_not_attested(&attestors, evidence, &node).await;
    unasked_challenge_has_no_answer(evidence).await;
}

async fn garbage_proves_nothing(attestors: &NodeAttestors, evidence: &mut dyn NodeEvidenceSource) {
    let mebibyte = vec![b'a'; 1 << 20];
    let deep = "[".repeat(10_000);
    let garbage: [&[u8]; 10] = [
        b"",
        b"\0",
        b"null",
        b"{}",
        b"[]",
        b"\"text\"",
        b"{\"certificates\":null}",
        &[0xff, 0xfe],
        deep.as_bytes(),
        &mebibyte,
    ];
    for payload in garbage {
        let outcome = attestors.attest(evidence.kind(), payload, None, &mut HungUp).await;
        assert!(outcome.is_err(), "garbage of {} bytes is refused", payload.len());
    }
}

async fn good_evidence_names_an_agent_of_its_kind(
    trust_domain: &TrustDomain,
    attestors: &NodeAttestors,
    evidence: &mut dyn NodeEvidenceSource,
) -> AttestedNode {
    let node = attest(attestors, evidence).await.expect("good evidence convinces");
    assert!(node.id().is_agent() && node.id().is_member_of(trust_domain), "{}", node.id());
    assert_eq!(node.kind(), evidence.kind());
    node
}

async fn evidence_counts_again_only_when_it_says_so(
    attestors: &NodeAttestors,
    evidence: &mut dyn NodeEvidenceSource,
    first: &AttestedNode,
) {
    match attest(attestors, evidence).await {
        Ok(again) => {
            assert!(first.can_reattest(), "evidence that counts once counts once");
            assert_eq!(again.id(), first.id(), "the same evidence is the same agent");
            assert_eq!(again.selectors(), first.selectors(), "the same evidence has the same selectors");
        }
        Err(error) => assert!(!first.can_reattest(), "evidence that counts again does so: {error}"),
    }
}

async fn agent_that_hangs_up_is_not_attested(
    attestors: &NodeAttestors,
    evidence: &mut dyn NodeEvidenceSource,
    first: &AttestedNode,
) {
    if !first.can_reattest() {
        return;
    }
    let payload = evidence.payload().await.unwrap();
    let outcome = attestors.attest(evidence.kind(), &payload, None, &mut HungUp).await;
    assert!(outcome.is_err(), "evidence that may be shown by anybody who saw it needs a challenge");
}

async fn unasked_challenge_has_no_answer(evidence: &mut dyn NodeEvidenceSource) {
    for challenge in [&b""[..], b"{}", b"null", &[0xff]] {
        assert!(evidence.respond(challenge).await.is_err(), "a malformed challenge has no answer");
    }
}

async fn attest(
    attestors: &NodeAttestors,
    evidence: &mut dyn NodeEvidenceSource,
) -> Result<AttestedNode, AttestError> {
    let (kind, payload) = (evidence.kind().to_owned(), evidence.payload().await?);
    attestors.attest(&kind, &payload, None, &mut Answering(evidence)).await
}

/// Passes challenges on to the agent's half.
struct Answering<'a>(&'a mut dyn NodeEvidenceSource);

#[async_trait]
impl Dialogue for Answering<'_> {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.respond(&challenge).await.map_err(|error| Status::cancelled(error.to_string()))
    }
}

/// An agent that is gone when it is asked.
struct HungUp;

#[async_trait]
impl Dialogue for HungUp {
    async fn challenge(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Err(Status::cancelled("hung up"))
    }
}
