//! Tests of what node attestors may say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::Selector;

use super::*;

/// Reports whatever it is told to, after one challenge.
#[derive(Debug)]
struct Reporter(NodeFindings);

#[async_trait]
impl NodeAttestor for Reporter {
    fn kind(&self) -> &str {
        "test"
    }

    async fn attest(
        &self,
        payload: &[u8],
        _: Option<IpAddr>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<NodeFindings, AttestError> {
        let answer = dialogue.challenge(payload.to_vec()).await?;
        assert_eq!(answer, [payload, payload].concat());
        Ok(self.0.clone())
    }
}

/// Answers a challenge with its double, unless it has hung up.
struct Doubling {
    hung_up: bool,
}

#[async_trait]
impl Dialogue for Doubling {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, tonic::Status> {
        if self.hung_up { Err(tonic::Status::cancelled("hung up")) } else { Ok(challenge.repeat(2)) }
    }
}

fn findings(id: &str, selectors: &[&str]) -> NodeFindings {
    let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
    NodeFindings { id: SpiffeId::parse(id).unwrap(), selectors, can_reattest: true }
}

async fn attest(findings: NodeFindings) -> Result<AttestedNode, AttestError> {
    let attestor: Arc<dyn NodeAttestor> = Arc::new(Reporter(findings));
    let attestors = NodeAttestors::new(TrustDomain::parse("example.org").unwrap(), [attestor]);
    attestors.attest("test", b"evidence", None, &mut Doubling { hung_up: false }).await
}

#[tokio::test]
async fn findings_about_an_agent_of_its_kind_are_believed() {
    let node = attest(findings("spiffe://example.org/spire/agent/test/a", &["test:rack:7"])).await.unwrap();
    assert_eq!(node.id().path(), "/spire/agent/test/a");
    assert_eq!(node.kind(), "test");
    assert!(node.can_reattest());
    assert_eq!(node.selectors().len(), 1);
}

#[tokio::test]
async fn attestor_may_name_only_agents_below_its_own_path() {
    for id in [
        "spiffe://example.org/spire/agent/join_token/a",
        "spiffe://example.org/spire/agent/testing/a",
        "spiffe://example.org/spire/agent/test",
        "spiffe://example.org/spire/server",
        "spiffe://example.org/workload",
        "spiffe://example.org",
        "spiffe://other.org/spire/agent/test/a",
    ] {
        let refused = attest(findings(id, &[])).await;
        assert!(matches!(refused, Err(AttestError::ForeignAgent { .. })), "{id}: {refused:?}");
    }
}

#[tokio::test]
async fn attestor_may_give_only_selectors_of_its_own_type() {
    let id = "spiffe://example.org/spire/agent/test/a";
    for foreign in ["spiffe_id:spiffe://example.org/spire/agent/test/b", "join_token:a"] {
        let refused = attest(findings(id, &["test:rack:7", foreign])).await;
        assert!(matches!(refused, Err(AttestError::ForeignSelector { .. })), "{foreign}: {refused:?}");
    }
}

#[tokio::test]
async fn evidence_of_an_unknown_kind_is_refused_by_name() {
    let attestors = NodeAttestors::new(TrustDomain::parse("example.org").unwrap(), []);
    let refused =
        attestors.attest("tpm", b"evidence", None, &mut Doubling { hung_up: false }).await.unwrap_err();
    assert_eq!(refused.to_string(), "node attestor `tpm` is not configured here");
}

#[tokio::test]
async fn dialogue_that_breaks_off_attests_nobody() {
    let attestor: Arc<dyn NodeAttestor> =
        Arc::new(Reporter(findings("spiffe://example.org/spire/agent/test/a", &[])));
    let attestors = NodeAttestors::new(TrustDomain::parse("example.org").unwrap(), [attestor]);
    let refused = attestors.attest("test", b"evidence", None, &mut Doubling { hung_up: true }).await;
    assert!(matches!(refused, Err(AttestError::Dialogue { .. })), "{refused:?}");
}
