//! The Agent service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{Node, SpiffeId, X509Svid};
use tonic::{Code, Extensions, Status};

use super::{AgentApi, agent_service};
use crate::client::{AgentClient, Responder};
use crate::harness::{Ca, agent_id, node, noon, served};
use crate::proto::agent as proto;
use crate::proto::agent::agent_client::AgentClient as Stub;
use crate::server::Dialogue;
use crate::{
    AgentDenial, AgentFilter, AttestationResult, JoinToken, JoinTokenRequest, NodeEvidence, Page, Paged,
    agent_denial, denied,
};

/// A server with three agents; it asks back as often as the payload says.
struct Fake {
    svid: X509Svid,
    calls: Mutex<Vec<String>>,
}

impl Fake {
    fn new() -> Arc<Self> {
        let svid = Ca::new("example.org").svid("/spire/agent/join_token/one");
        Arc::new(Self { svid, calls: Mutex::default() })
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }
}

#[async_trait]
impl AgentApi for Fake {
    async fn attest_agent(
        &self,
        _: &Extensions,
        evidence: NodeEvidence,
        csr: Vec<u8>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestationResult, Status> {
        assert_eq!((evidence.kind.as_str(), csr.as_slice()), ("test", &b"csr"[..]));
        for challenge in 0..evidence.payload[0] {
            let response = dialogue.challenge(vec![challenge]).await?;
            if response != [challenge + 1] {
                return Err(denied(AgentDenial::Banned, "failed to attest: agent is banned"));
            }
        }
        Ok(AttestationResult { svid: self.svid.clone(), can_reattest: true })
    }

    async fn renew_agent(&self, _: &Extensions, csr: Vec<u8>) -> Result<X509Svid, Status> {
        match csr.as_slice() {
            b"csr" => Ok(self.svid.clone()),
            _ => Err(denied(AgentDenial::MustReattest, "agent must reattest instead of renew")),
        }
    }

    async fn post_status(&self, _: &Extensions, agent_version: String) -> Result<(), Status> {
        self.note(agent_version);
        Ok(())
    }

    async fn count_agents(&self, _: &Extensions, filter: AgentFilter) -> Result<u64, Status> {
        assert_eq!(filter.banned, Some(false));
        Ok(u64::MAX)
    }

    async fn list_agents(
        &self,
        _: &Extensions,
        filter: AgentFilter,
        page: Page<SpiffeId>,
    ) -> Result<Paged<Node>, Status> {
        let nodes = ["a", "b", "c"].map(node).into_iter().filter(|node| filter.matches(node));
        Ok(page.cut(nodes, |node| node.id.clone()))
    }

    async fn agent(&self, _: &Extensions, id: SpiffeId) -> Result<Node, Status> {
        if id == agent_id("a") { Ok(node("a")) } else { Err(Status::not_found("agent not found")) }
    }

    async fn delete_agent(&self, _: &Extensions, id: SpiffeId) -> Result<(), Status> {
        self.note(format!("delete {id}"));
        Ok(())
    }

    async fn ban_agent(&self, _: &Extensions, id: SpiffeId) -> Result<(), Status> {
        self.note(format!("ban {id}"));
        Ok(())
    }

    async fn create_join_token(
        &self,
        _: &Extensions,
        request: JoinTokenRequest,
    ) -> Result<JoinToken, Status> {
        let value = request.token.unwrap_or_else(|| "chosen".to_owned());
        Ok(JoinToken { value, expires_at: noon() + request.ttl })
    }
}

/// Adds one to each challenge, or gives up.
struct Increment {
    until: u8,
}

#[async_trait]
impl Responder for Increment {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        if challenge[0] >= self.until {
            return Err(Status::aborted("no answer to that"));
        }
        Ok(vec![challenge[0] + 1])
    }
}

fn evidence(challenges: u8) -> NodeEvidence {
    NodeEvidence { kind: "test".to_owned(), payload: vec![challenges] }
}

#[tokio::test]
async fn attestation_goes_through_its_challenges() {
    let fake = Fake::new();
    let svid = fake.svid.clone();
    served(agent_service(fake), async |channel| {
        for challenges in [0, 1, 3] {
            let client = AgentClient::new(channel.clone());
            let mut responder = Increment { until: 10 };
            let result =
                client.attest_agent(evidence(challenges), b"csr".to_vec(), &mut responder).await.unwrap();
            assert_eq!(result.svid.leaf(), svid.leaf());
            assert!(result.can_reattest);
        }
    })
    .await;
}

#[tokio::test]
async fn attestation_ends_with_the_responders_error() {
    served(agent_service(Fake::new()), async |channel| {
        let client = AgentClient::new(channel);
        let refused = client.attest_agent(evidence(3), b"csr".to_vec(), &mut Increment { until: 1 }).await;
        assert_eq!(refused.unwrap_err().code(), Code::Aborted);
    })
    .await;
}

#[tokio::test]
async fn attestation_has_a_limit_of_challenges() {
    served(agent_service(Fake::new()), async |channel| {
        let client = AgentClient::new(channel);
        let refused =
            client.attest_agent(evidence(200), b"csr".to_vec(), &mut Increment { until: 250 }).await;
        assert!(refused.unwrap_err().message().contains("at most 16 are allowed"));
    })
    .await;
}

#[tokio::test]
async fn attestation_refuses_parameters_instead_of_a_response() {
    served(agent_service(Fake::new()), async |channel| {
        let params = || crate::convert::agent::to_params(evidence(1), b"csr".to_vec());
        let requests = tokio_stream::iter([params(), params()]);
        let mut answers = Stub::new(channel).attest_agent(requests).await.unwrap().into_inner();
        assert!(matches!(
            answers.message().await.unwrap().unwrap().step,
            Some(proto::attest_agent_response::Step::Challenge(_))
        ));
        let error = answers.message().await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.message(), "expected a challenge response, got parameters");
    })
    .await;
}

#[tokio::test]
async fn attestation_that_is_abandoned_ends() {
    served(agent_service(Fake::new()), async |channel| {
        let requests = tokio_stream::iter([crate::convert::agent::to_params(evidence(1), b"csr".to_vec())]);
        let mut answers = Stub::new(channel).attest_agent(requests).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap();
        let error = answers.message().await.unwrap_err();
        assert_eq!(error.message(), "expected a challenge response, got nothing");
    })
    .await;
}

#[tokio::test]
async fn banned_agent_learns_why() {
    struct Wrong;
    #[async_trait]
    impl Responder for Wrong {
        async fn respond(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
            Ok(vec![99])
        }
    }
    served(agent_service(Fake::new()), async |channel| {
        let client = AgentClient::new(channel);
        let error = client.attest_agent(evidence(1), b"csr".to_vec(), &mut Wrong).await.unwrap_err();
        assert_eq!(error.message(), "failed to attest: agent is banned");
        assert_eq!(agent_denial(&error), Some(AgentDenial::Banned));
    })
    .await;
}

#[tokio::test]
async fn renewal_gives_an_svid_or_a_reason() {
    let fake = Fake::new();
    let svid = fake.svid.clone();
    served(agent_service(fake), async |channel| {
        let client = AgentClient::new(channel);
        assert_eq!(client.renew_agent(b"csr".to_vec()).await.unwrap().leaf(), svid.leaf());
        let error = client.renew_agent(b"other".to_vec()).await.unwrap_err();
        assert_eq!(agent_denial(&error), Some(AgentDenial::MustReattest));
        let error = client.renew_agent(Vec::new()).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "missing CSR"));
    })
    .await;
}

#[tokio::test]
async fn list_comes_page_by_page_and_whole() {
    served(agent_service(Fake::new()), async |channel| {
        let nodes = AgentClient::new(channel.clone()).list_agents(AgentFilter::default()).await.unwrap();
        assert_eq!(nodes, ["a", "b", "c"].map(node));
        let mut stub = Stub::new(channel);
        let request = proto::ListAgentsRequest { page_size: 2, ..Default::default() };
        let first = stub.list_agents(request).await.unwrap().into_inner();
        let request = proto::ListAgentsRequest {
            page_size: 2,
            page_token: first.next_page_token,
            ..Default::default()
        };
        let second = stub.list_agents(request).await.unwrap().into_inner();
        assert_eq!((first.agents.len(), second.agents.len()), (2, 1));
        assert_eq!(second.next_page_token, "");
        let request = proto::ListAgentsRequest { page_token: "nonsense!".to_owned(), ..Default::default() };
        assert_eq!(stub.list_agents(request).await.unwrap_err().code(), Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn management_calls_arrive_as_sent() {
    let fake = Fake::new();
    served(agent_service(Arc::clone(&fake) as Arc<dyn AgentApi>), async |channel| {
        let client = AgentClient::new(channel);
        let filter = AgentFilter { banned: Some(false), ..AgentFilter::default() };
        assert_eq!(client.count_agents(filter).await.unwrap(), u64::from(i32::MAX.unsigned_abs()));
        assert_eq!(client.agent(&agent_id("a")).await.unwrap(), node("a"));
        assert_eq!(client.agent(&agent_id("z")).await.unwrap_err().code(), Code::NotFound);
        client.delete_agent(&agent_id("a")).await.unwrap();
        client.ban_agent(&agent_id("b")).await.unwrap();
        client.post_status("0.1.0").await.unwrap();
        let request = JoinTokenRequest { ttl: Duration::from_secs(60), token: None, agent_id: None };
        let token = client.create_join_token(request).await.unwrap();
        assert_eq!((token.value.as_str(), token.expires_at), ("chosen", noon() + Duration::from_secs(60)));
    })
    .await;
    let expected = [
        "delete spiffe://example.org/spire/agent/join_token/a",
        "ban spiffe://example.org/spire/agent/join_token/b",
        "0.1.0",
    ];
    assert_eq!(*fake.calls.lock().unwrap(), expected);
}

#[tokio::test]
async fn oversize_request_is_refused() {
    served(agent_service(Fake::new()), async |channel| {
        let error = AgentClient::new(channel).renew_agent(vec![0; 513 * 1024]).await.unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange, "{error}");
        assert!(error.message().contains("524288"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_agents_version_is_no_novel() {
    served(agent_service(Fake::new()), async |channel| {
        let client = AgentClient::new(channel);
        client.post_status("1".repeat(256)).await.unwrap();
        let error = client.post_status("1".repeat(257)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.message(), "agent version of 257 bytes sent; at most 256 are allowed");
    })
    .await;
}
