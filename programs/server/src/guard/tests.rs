//! What the guard does to a node whose agent has begun to use its renewed SVID, and whom it asks before it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_attest::{Caller, NodeAttestors};
use finial_authorize::Authorizer;
use finial_daemon::{Clock, Tasks};
use finial_identity::{Node, Role, SelectorSet, TrustDomain};
use finial_issue::{AuthorityManager, IssueConfig, IssueMeters};
use finial_keys::MemoryKeys;
use finial_receive::testing::{Authority, start};
use finial_store::{Changes, Index, Nodes, SqliteStore};
use finial_wire::server::Arrivals;
use finial_wire::{AgentDenial, agent_denial};

use super::{Gate, MAX_ARRIVING_BYTES, promoted};
use crate::RateLimits;
use crate::core::Core;
use crate::listener::Origin;
use crate::rate::Limits;

const POST_STATUS: &str = "/spire.api.server.agent.v1.Agent/PostStatus";

fn node() -> Node {
    Node {
        id: "spiffe://example.org/spire/agent/join_token/abc".parse().unwrap(),
        attestation_type: "join_token".to_owned(),
        serial_number: "1".to_owned(),
        expires_at: SystemTime::UNIX_EPOCH,
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: "1.0.0".to_owned(),
    }
}

#[test]
fn renewed_svid_becomes_the_current_one() {
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let renewed = Node { new_serial_number: Some("2".to_owned()), new_expires_at: Some(later), ..node() };
    assert_eq!(promoted(&renewed), Node { serial_number: "2".to_owned(), expires_at: later, ..node() });
}

#[test]
fn node_without_a_renewed_svid_stays_as_it_is() {
    assert_eq!(promoted(&node()), node());
}

/// A server whose memory knows no agent, before a primary that knows these.
async fn forgetful(nodes: impl IntoIterator<Item = Node>) -> Gate {
    let (clock, _) = Clock::manual(start());
    let tasks = Tasks::new(clock.clone());
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let primary = SqliteStore::in_memory().await.unwrap();
    for node in nodes {
        primary.create_or_replace_node(node).await.unwrap();
    }
    let memory = Arc::new(SqliteStore::in_memory().await.unwrap());
    let index = Index::start(memory.clone(), &clock, &tasks).await.unwrap();
    let config = IssueConfig::new(trust_domain.clone());
    let keys = Arc::new(MemoryKeys::new());
    let authorities = AuthorityManager::start(
        config,
        keys,
        memory.clone(),
        memory.clone(),
        IssueMeters::default(),
        &clock,
        &tasks,
    )
    .await
    .unwrap();
    index.reached(memory.revision().await.unwrap()).await.unwrap();
    let core = Arc::new(Core {
        trust_domain: trust_domain.clone(),
        store: Arc::new(primary),
        index,
        attestors: NodeAttestors::new(trust_domain.clone(), []),
        issuer: authorities.issuer(),
        authorities,
        limits: Limits::new(&RateLimits::default(), &clock),
        connection_age: Duration::from_secs(3600),
        clock,
    });
    Gate { core, authorizer: Authorizer::new(trust_domain, []), arrivals: Arrivals::new(MAX_ARRIVING_BYTES) }
}

/// An agent by its verified SVID, and the serial number of that.
fn agent() -> (Origin, String) {
    let authority = Authority::new("example.org");
    let credential = authority.credential(node().id.as_str());
    let svid = credential.svid().verify(&authority.bundles(), start(), Role::Client).unwrap();
    let serial_number = svid.serial_number().to_owned();
    (Origin::new(Caller::spiffe(svid), None), serial_number)
}

#[tokio::test]
async fn design_4_agent_that_another_server_has_just_attested_is_admitted() {
    let (origin, serial_number) = agent();
    let gate = forgetful([Node { serial_number, ..node() }]).await;
    let permit = gate.admit(Some(&origin), POST_STATUS).await.unwrap();
    assert_eq!(permit.node().unwrap().id, node().id);
}

#[tokio::test]
async fn design_4_denial_is_what_the_primary_says() {
    let (origin, _) = agent();
    let banned = Node { serial_number: String::new(), ..node() };
    let table = [
        (vec![], AgentDenial::NotAttested),
        (vec![node()], AgentDenial::NotActive),
        (vec![banned], AgentDenial::Banned),
    ];
    for (nodes, denial) in table {
        let refusal = forgetful(nodes).await.admit(Some(&origin), POST_STATUS).await.unwrap_err();
        assert_eq!(agent_denial(&refusal), Some(denial));
    }
}
