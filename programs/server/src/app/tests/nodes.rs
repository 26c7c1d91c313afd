//! Agents that can attest again, and every reason for which one is turned away.

use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{Possession, X509PopConfig, X509PopMode};
use finial_identity::{CertificateRequest, KeyKind, PrivateKey, X509Credential};
use finial_wire::client::{AgentClient, Responder};
use finial_wire::{AgentDenial, AgentFilter, AttestationResult, NodeEvidence, agent_denial};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::fixture::{Agent, Server};
use crate::{KeysConfig, NodePruning, StoreConfig};

/// A node with a certificate, and the authorities that a server judges it by.
struct Machine {
    possession: Possession,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = CertificateParams::default();
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &root).unwrap().der().clone();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { possession: Possession::new(vec![certificate], &key).unwrap(), folder }
    }

    fn config(&self) -> X509PopConfig {
        X509PopConfig::new(X509PopMode::ExternalPki {
            ca_bundle_paths: vec![self.folder.path().join("ca.pem")],
        })
    }

    async fn server(&self) -> Server {
        Server::start_with(|config| {
            config.store = StoreConfig::Memory;
            config.keys = KeysConfig::Memory;
            config.node_attestors.x509pop = Some(self.config());
        })
        .await
    }

    async fn show(&self, channel: &Channel, key: &PrivateKey) -> Result<AttestationResult, Status> {
        let evidence = NodeEvidence { kind: "x509pop".to_owned(), payload: self.possession.payload() };
        let csr = CertificateRequest::create(key, None).unwrap();
        AgentClient::new(channel.clone()).attest_agent(evidence, csr, &mut Proving(&self.possession)).await
    }

    async fn attest(&self, server: &Server) -> Result<Agent, Status> {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let attested = self.show(&server.stranger(None).await, &key).await?;
        assert!(attested.can_reattest);
        let credential = X509Credential::new(attested.svid, key, String::new()).unwrap();
        Ok(Agent { channel: server.stranger(Some(credential.clone())).await, credential })
    }
}

struct Proving<'a>(&'a Possession);

#[async_trait]
impl Responder for Proving<'_> {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.respond(&challenge).map_err(|error| Status::cancelled(error.to_string()))
    }
}

async fn denial(agent: &Agent) -> Option<AgentDenial> {
    let refusal = AgentClient::new(agent.channel.clone()).post_status("1.0.0").await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    agent_denial(&refusal)
}

#[tokio::test]
async fn agent_attests_again_and_its_earlier_svid_counts_no_more() {
    let machine = Machine::new();
    let server = machine.server().await;
    let (first, second) = (machine.attest(&server).await.unwrap(), machine.attest(&server).await.unwrap());
    assert_eq!(first.id(), second.id());
    assert!(first.id().path().starts_with("/spire/agent/x509pop/"));
    AgentClient::new(second.channel.clone()).post_status("1.0.0").await.unwrap();
    assert_eq!(denial(&first).await, Some(AgentDenial::NotActive));
    let node = AgentClient::new(server.operator()).agent(second.id()).await.unwrap();
    assert_eq!((node.attestation_type.as_str(), node.can_reattest), ("x509pop", true));
    assert_eq!(node.serial_number, second.svid().serial_number());
    assert!(node.selectors.iter().all(|selector| selector.kind() == "x509pop"));
    server.stop().await;
}

#[tokio::test]
async fn agent_that_can_attest_again_must_do_so_instead_of_renewing() {
    let machine = Machine::new();
    let server = machine.server().await;
    let agent = machine.attest(&server).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let csr = CertificateRequest::create(&key, None).unwrap();
    let refusal = AgentClient::new(agent.channel.clone()).renew_agent(csr).await.unwrap_err();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::MustReattest));
    assert_eq!(refusal.message(), "agent must reattest instead of renew");
    server.stop().await;
}

#[tokio::test]
async fn evicted_agent_may_attest_again() {
    let machine = Machine::new();
    let server = machine.server().await;
    let agent = machine.attest(&server).await.unwrap();
    AgentClient::new(server.operator()).delete_agent(agent.id()).await.unwrap();
    assert_eq!(denial(&agent).await, Some(AgentDenial::NotAttested));
    assert_eq!(machine.attest(&server).await.unwrap().id(), agent.id());
    server.stop().await;
}

#[tokio::test]
async fn banned_agent_may_not_attest_until_it_is_deleted() {
    let machine = Machine::new();
    let server = machine.server().await;
    let agent = machine.attest(&server).await.unwrap();
    let operator = AgentClient::new(server.operator());
    operator.ban_agent(agent.id()).await.unwrap();
    assert_eq!(denial(&agent).await, Some(AgentDenial::Banned));
    let refusal = machine.attest(&server).await.err().unwrap();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::Banned));
    assert_eq!(refusal.message(), "failed to attest: agent is banned");
    operator.delete_agent(agent.id()).await.unwrap();
    machine.attest(&server).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn connection_outlives_an_svid_and_its_agent_does_not() {
    let machine = Machine::new();
    let server = machine.server().await;
    let agent = machine.attest(&server).await.unwrap();
    let client = AgentClient::new(agent.channel.clone());
    client.post_status("1.0.0").await.unwrap();
    server.hand.step(Duration::from_hours(2));
    let refusal = client.post_status("1.0.1").await.unwrap_err();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::Expired), "{refusal}");
    server.stop().await;
}

#[tokio::test]
async fn agent_that_expired_long_ago_is_deleted_when_the_operator_wants_that() {
    let machine = Machine::new();
    let server = Server::start_with(|config| {
        config.store = StoreConfig::Memory;
        config.keys = KeysConfig::Memory;
        config.node_attestors.x509pop = Some(machine.config());
        let expired_for = Duration::from_hours(24);
        config.node_pruning = Some(NodePruning { expired_for, batch_size: 1, tofu: false });
    })
    .await;
    let (agent, joined) = (machine.attest(&server).await.unwrap(), server.agent().await);
    let operator = AgentClient::new(server.operator());
    let ids = async || {
        let agents = operator.list_agents(AgentFilter::default()).await.unwrap();
        agents.into_iter().map(|agent| agent.id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await.len(), 2);
    server.hand.step(Duration::from_hours(24));
    // The index is asked until the task has had its turn: nothing else tells of it.
    server.hand.step(Duration::from_hours(3));
    while ids().await.contains(agent.id()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(ids().await, [joined.id().clone()], "it could not attest again");
    server.stop().await;
}

#[tokio::test]
async fn certificate_that_leads_elsewhere_attests_nobody() {
    let (machine, other) = (Machine::new(), Machine::new());
    let server = machine.server().await;
    let refusal = other.attest(&server).await.err().unwrap();
    assert_eq!((refusal.code(), agent_denial(&refusal)), (Code::PermissionDenied, None));
    assert!(refusal.message().starts_with("failed to attest: certificate verification failed"), "{refusal}");
    server.stop().await;
}

#[tokio::test]
async fn attestor_that_is_not_configured_is_named() {
    let server = Server::start().await;
    let refusal = Machine::new().attest(&server).await.err().unwrap();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(refusal.message(), "node attestor `x509pop` is not configured here");
    server.stop().await;
}

/// Answers a challenge when the time for that is over, and somebody else was served meanwhile.
struct Late<'a>(&'a Machine, &'a Server);

#[async_trait]
impl Responder for Late<'_> {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        let Self(machine, server) = self;
        server.hand.step(Duration::from_secs(30));
        machine.attest(server).await?;
        Proving(&machine.possession).respond(challenge).await
    }
}

#[tokio::test]
async fn agent_that_does_not_answer_a_challenge_is_given_up() {
    let machine = Machine::new();
    let server = machine.server().await;
    let evidence = NodeEvidence { kind: "x509pop".to_owned(), payload: machine.possession.payload() };
    let csr = CertificateRequest::create(&PrivateKey::generate(KeyKind::EcP256).unwrap(), None).unwrap();
    let client = AgentClient::new(server.stranger(None).await);
    let refusal = client.attest_agent(evidence, csr, &mut Late(&machine, &server)).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::DeadlineExceeded, "the call took too long"));
    server.stop().await;
}
