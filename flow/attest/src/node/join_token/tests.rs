//! Tests of join tokens: who holds one gets in once, and nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_store::{JoinToken, SqliteStore};
use tokio::task::JoinSet;

use super::*;
use crate::{AttestedNode, NodeAttestors};

const TOKEN: &str = "7f6a1f1c-6d1d-4c3e-9f30-9b9a3e4b8a11";

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Attestation at `start()`, with one token that ends at `end`.
async fn attestors(token: &str, end: SystemTime) -> Arc<NodeAttestors> {
    let store = SqliteStore::in_memory().await.unwrap();
    store.create_token(JoinToken::new(token, end)).await.unwrap();
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let (clock, _) = Clock::manual(start());
    let attestor: Arc<dyn NodeAttestor> =
        Arc::new(JoinTokenAttestor::new(trust_domain.clone(), Arc::new(store), clock));
    Arc::new(NodeAttestors::new(trust_domain, [attestor]))
}

async fn join(attestors: &NodeAttestors, token: &str) -> Result<AttestedNode, AttestError> {
    let mut evidence = JoinTokenEvidence::new(token);
    let payload = evidence.payload().await.unwrap();
    attestors.attest(evidence.kind(), &payload, None, &mut Silent).await
}

/// Nobody is asked back.
struct Silent;

#[async_trait]
impl Dialogue for Silent {
    async fn challenge(&mut self, _: Vec<u8>) -> Result<Vec<u8>, tonic::Status> {
        panic!("a join token is not challenged")
    }
}

#[tokio::test]
async fn token_makes_an_agent_named_after_it() {
    let attestors = attestors(TOKEN, start() + Duration::from_secs(1)).await;
    let node = join(&attestors, TOKEN).await.unwrap();
    assert_eq!(node.id().as_str(), format!("spiffe://example.org/spire/agent/join_token/{TOKEN}"));
    assert_eq!(node.kind(), "join_token");
    assert!(node.selectors().is_empty());
    assert!(!node.can_reattest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_7_spire_1_14_6_one_of_64_at_once_gets_in() {
    let attestors = attestors(TOKEN, start() + Duration::from_secs(600)).await;
    let mut racers = JoinSet::new();
    for _ in 0..64 {
        let attestors = Arc::clone(&attestors);
        racers.spawn(async move { join(&attestors, TOKEN).await });
    }
    let outcomes = racers.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.to_string(), "join token does not exist or has already been used");
    }
}

#[tokio::test]
async fn token_that_nobody_made_is_refused() {
    let attestors = attestors(TOKEN, start() + Duration::from_secs(600)).await;
    let refused = join(&attestors, "another").await.unwrap_err();
    assert_eq!(refused.to_string(), "join token does not exist or has already been used");
}

#[tokio::test]
async fn expired_token_is_refused_and_gone() {
    let attestors = attestors(TOKEN, start()).await;
    assert_eq!(join(&attestors, TOKEN).await.unwrap_err().to_string(), "join token expired");
    assert!(matches!(join(&attestors, TOKEN).await, Err(AttestError::TokenUnknown)));
}

#[tokio::test]
async fn cve_2021_27099_token_that_is_no_path_segment_is_refused() {
    for token in ["", ".", "..", "a/b", "a b", "a%2fb", "tok\u{e9}n", "../server"] {
        let attestors = attestors("a", start() + Duration::from_secs(600)).await;
        let refused = join(&attestors, token).await.unwrap_err();
        assert!(matches!(refused, AttestError::Evidence { .. }), "{token}: {refused}");
    }
}

#[tokio::test]
async fn payload_that_is_no_text_is_no_token() {
    let attestors = attestors(TOKEN, start() + Duration::from_secs(600)).await;
    let refused = attestors.attest("join_token", &[0xff, 0xfe], None, &mut Silent).await;
    assert!(matches!(refused, Err(AttestError::TokenUnknown)), "{refused:?}");
}

#[tokio::test]
async fn challenge_to_a_token_has_no_answer() {
    assert!(JoinTokenEvidence::new(TOKEN).respond(b"nonce").await.is_err());
}

#[test]
fn debug_hides_the_token() {
    assert_eq!(format!("{:?}", JoinTokenEvidence::new(TOKEN)), "JoinTokenEvidence(…)");
}

#[tokio::test]
async fn battery() {
    let store = SqliteStore::in_memory().await.unwrap();
    store.create_token(JoinToken::new(TOKEN, start() + Duration::from_secs(600))).await.unwrap();
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let (clock, _) = Clock::manual(start());
    let attestor = Arc::new(JoinTokenAttestor::new(trust_domain.clone(), Arc::new(store), clock));
    crate::node_battery::run(&trust_domain, attestor, &mut JoinTokenEvidence::new(TOKEN)).await;
}
