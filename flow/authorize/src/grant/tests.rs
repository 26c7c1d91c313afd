//! Tests of what may be made, and for whom.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use async_trait::async_trait;
use finial_attest::{AttestError, Caller, NodeAttestor, NodeAttestors, NodeFindings};
use finial_identity::SelectorSet;
use finial_wire::AgentDenial;
use finial_wire::server::Dialogue;

use super::*;
use crate::Authorizer;
use crate::testing::*;

const BATCH: &str = "/spire.api.server.svid.v1.SVID/BatchNewX509SVID";
const RENEW: &str = "/spire.api.server.agent.v1.Agent/RenewAgent";
const LIST: &str = "/spire.api.server.entry.v1.Entry/ListEntries";

fn permit(caller: &Caller, method: &str, snapshot: &Snapshot) -> Permit {
    Authorizer::new(trust_domain(), []).authorize(caller, method, snapshot, now()).unwrap()
}

fn entry_id(text: &str) -> EntryId {
    EntryId::new(text).unwrap()
}

async fn world() -> Arc<Snapshot> {
    let mut own = draft("/own", &agent("a"), &["unix:uid:1"]);
    own.dns_names = vec!["own.example.org".to_owned()];
    own.x509_svid_ttl = Some(Duration::from_secs(60));
    own.jwt_svid_ttl = Some(Duration::from_secs(30));
    own.hint = "internal".to_owned();
    own.jwt_svid_includes_jti = true;
    let mut ended = draft("/ended", &agent("a"), &["unix:uid:1"]);
    ended.expires_at = Some(now());
    let entries = vec![
        entry("own", own),
        entry("ended", ended),
        entry("below", draft("/below", &id("/own"), &["unix:uid:2"])),
        entry("other", draft("/other", &agent("b"), &["unix:uid:1"])),
    ];
    snapshot(entries, vec![node(&agent("a"), "1"), node(&agent("b"), "2")]).await
}

#[tokio::test]
async fn workload_gets_what_its_entry_says() {
    let snapshot = world().await;
    let permit = permit(&caller(&agent("a"), 1), BATCH, &snapshot);
    let grant = Grant::workload(&permit, &entry_id("own"), &snapshot, now()).unwrap();
    assert_eq!(grant.kind(), GrantKind::Workload);
    assert_eq!(grant.spiffe_id(), &id("/own"));
    assert_eq!(grant.agent(), Some(&agent("a")));
    assert_eq!(grant.dns_names(), ["own.example.org"]);
    assert_eq!(grant.x509_svid_ttl(), Some(Duration::from_secs(60)));
    assert_eq!(grant.jwt_svid_ttl(), Some(Duration::from_secs(30)));
    assert_eq!(grant.hint(), "internal");
    assert!(grant.jwt_svid_includes_jti());
    let below = Grant::workload(&permit, &entry_id("below"), &snapshot, now()).unwrap();
    assert_eq!((below.spiffe_id(), below.x509_svid_ttl()), (&id("/below"), None));
}

#[tokio::test]
async fn entry_that_is_not_the_agents_looks_like_one_that_is_not_there() {
    let snapshot = world().await;
    let permit = permit(&caller(&agent("a"), 1), BATCH, &snapshot);
    for refused in ["other", "ended", "missing"] {
        let denial = Grant::workload(&permit, &entry_id(refused), &snapshot, now()).unwrap_err();
        assert_eq!(denial, Denial::Entry { id: entry_id(refused) });
        assert_eq!(denial.to_string(), "entry not found or not authorized");
    }
}

#[tokio::test]
async fn agent_that_was_banned_or_evicted_while_its_call_waited_gets_nothing() {
    let before = world().await;
    let permit = permit(&caller(&agent("a"), 1), BATCH, &before);
    let own = before.entry(&entry_id("own")).unwrap();
    for nodes in [vec![node(&agent("a"), "")], vec![]] {
        let after = snapshot(vec![Entry::clone(own)], nodes).await;
        let denial = Grant::workload(&permit, &entry_id("own"), &after, now()).unwrap_err();
        assert_eq!(denial, Denial::Entry { id: entry_id("own") });
    }
}

#[tokio::test]
async fn agent_that_the_primary_alone_knows_yet_gets_what_is_its_own() {
    let entries = vec![entry("own", draft("/own", &agent("a"), &["unix:uid:1"]))];
    let snapshot = snapshot(entries, vec![]).await;
    let node = Arc::new(node(&agent("a"), "1"));
    let authorizer = Authorizer::new(trust_domain(), []);
    let permit =
        authorizer.authorize_with_node(&caller(&agent("a"), 1), BATCH, &snapshot, &node, now()).unwrap();
    assert!(Grant::workload(&permit, &entry_id("own"), &snapshot, now()).is_ok());
}

#[tokio::test]
async fn whoever_is_no_agent_gets_no_workload_and_no_renewal() {
    let snapshot = world().await;
    let permit = permit(&local(), LIST, &snapshot);
    assert!(Grant::workload(&permit, &entry_id("own"), &snapshot, now()).is_err());
    assert!(matches!(Grant::agent_renewal(&permit), Err(Denial::Method { .. })));
}

#[tokio::test]
async fn agent_renews_its_own_identity() {
    let snapshot = world().await;
    let grant = Grant::agent_renewal(&permit(&caller(&agent("a"), 1), RENEW, &snapshot)).unwrap();
    assert_eq!((grant.kind(), grant.spiffe_id()), (GrantKind::Agent, &agent("a")));
    assert!(grant.dns_names().is_empty() && grant.agent().is_none() && grant.entry().is_none());
}

#[tokio::test]
async fn agent_that_can_attest_again_does_not_renew() {
    let mut node = node(&agent("a"), "1");
    node.can_reattest = true;
    let snapshot = snapshot(vec![], vec![node]).await;
    let denial = Grant::agent_renewal(&permit(&caller(&agent("a"), 1), RENEW, &snapshot)).unwrap_err();
    assert_eq!(denial.agent_reason(), Some(AgentDenial::MustReattest));
    assert_eq!(denial.to_string(), "agent must reattest instead of renew");
}

#[tokio::test]
async fn attested_agent_gets_its_identity_unless_it_is_banned() {
    let attested = attested("a").await;
    let grant = Grant::new_agent(&attested, None).unwrap();
    assert_eq!((grant.kind(), grant.spiffe_id()), (GrantKind::Agent, &agent("a")));
    assert!(Grant::new_agent(&attested, Some(&node(&agent("a"), "1"))).is_ok());
    let denial = Grant::new_agent(&attested, Some(&node(&agent("a"), ""))).unwrap_err();
    assert_eq!(denial.agent_reason(), Some(AgentDenial::Banned));
    assert_eq!(denial.to_string(), "agent is banned");
}

#[test]
fn server_gets_its_own_identity() {
    let grant = Grant::server(&trust_domain());
    assert_eq!((grant.kind(), grant.spiffe_id()), (GrantKind::Server, &id("/spire/server")));
}

async fn attested(name: &str) -> AttestedNode {
    let attestor: Arc<dyn NodeAttestor> = Arc::new(Believing);
    NodeAttestors::new(trust_domain(), [attestor])
        .attest("join_token", name.as_bytes(), None, &mut Silent)
        .await
        .unwrap()
}

/// Believes every name that it is shown.
#[derive(Debug)]
struct Believing;

#[async_trait]
impl NodeAttestor for Believing {
    fn kind(&self) -> &str {
        "join_token"
    }

    async fn attest(
        &self,
        payload: &[u8],
        _: Option<IpAddr>,
        _: &mut dyn Dialogue,
    ) -> Result<NodeFindings, AttestError> {
        let id = agent(std::str::from_utf8(payload).unwrap());
        Ok(NodeFindings { id, selectors: SelectorSet::default(), can_reattest: false })
    }
}

struct Silent;

#[async_trait]
impl Dialogue for Silent {
    async fn challenge(&mut self, _: Vec<u8>) -> Result<Vec<u8>, tonic::Status> {
        panic!("nobody is challenged")
    }
}

const MINT: &str = "/spire.api.server.svid.v1.SVID/MintX509SVID";

#[tokio::test]
async fn operator_mints_what_he_names() {
    let snapshot = world().await;
    let permit = permit(&local(), MINT, &snapshot);
    let wanted = MintRequest {
        dns_names: vec!["web.example.org".to_owned()],
        subject: Some(vec![0x30, 0]),
        ..MintRequest::new(id("/minted"), Some(Duration::from_secs(7)))
    };
    let grant = Grant::minted(&permit, wanted, &trust_domain()).unwrap();
    assert_eq!((grant.kind(), grant.spiffe_id()), (GrantKind::Minted, &id("/minted")));
    assert_eq!(grant.dns_names(), ["web.example.org"]);
    assert_eq!(grant.subject_der(), Some(&[0x30, 0][..]));
    assert_eq!(grant.x509_svid_ttl(), Some(Duration::from_secs(7)));
    assert_eq!(grant.jwt_svid_ttl(), Some(Duration::from_secs(7)));
    assert!(grant.entry().is_none() && grant.agent().is_none() && !grant.jwt_svid_includes_jti());
}

#[tokio::test]
async fn nobody_but_an_operator_mints() {
    let snapshot = world().await;
    for method in [BATCH, RENEW] {
        let permit = permit(&caller(&agent("a"), 1), method, &snapshot);
        let denial = Grant::minted(&permit, MintRequest::new(id("/minted"), None), &trust_domain());
        assert!(matches!(denial, Err(Denial::Method { .. })), "{method}");
    }
    let anybody = permit(&Caller::Anonymous, "/spire.api.server.bundle.v1.Bundle/GetBundle", &snapshot);
    assert!(Grant::minted(&anybody, MintRequest::new(id("/minted"), None), &trust_domain()).is_err());
}

#[tokio::test]
async fn only_workloads_of_the_own_trust_domain_are_minted() {
    let snapshot = world().await;
    let permit = permit(&local(), MINT, &snapshot);
    for refused in [
        "spiffe://other.test/web",
        "spiffe://example.org",
        "spiffe://example.org/spire/server",
        "spiffe://example.org/spire/agent/join_token/a",
    ] {
        let refused = SpiffeId::parse(refused).unwrap();
        let denial = Grant::minted(&permit, MintRequest::new(refused.clone(), None), &trust_domain());
        assert_eq!(denial.unwrap_err(), Denial::NotAWorkload { id: refused, trust_domain: trust_domain() });
    }
}
