//! An agent that attests by certificate comes back by itself, whatever becomes of it; only a ban keeps it out.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use finial_agent::{Config as AgentConfig, NodeAttestorConfig};
use finial_attest::{X509PopConfig, X509PopFiles, X509PopMode};
use finial_daemon::{Clock, ClockHand};
use finial_identity::{EntryDraft, Node, Selector, SpiffeId};
use finial_server::NodeAttestorsConfig;
use finial_wire::{AgentFilter, X509Context};
use futures_util::{StreamExt, stream::BoxStream};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, date_time_ymd,
};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Status;

use crate::domain::{Domain, NODE, QUESTIONS};

const MINUTE: Duration = Duration::from_secs(60);

type Stream = BoxStream<'static, Result<X509Context, Status>>;

/// A node that somebody's PKI gave an RSA certificate, and the domain that trusts this PKI.
pub(crate) struct Machine {
    pub(crate) domain: Domain,
    pub(crate) hand: ClockHand,
    folder: TempDir,
}

impl Machine {
    pub(crate) async fn start() -> Self {
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let folder = tempfile::tempdir().unwrap();
        provision(folder.path());
        let ca_bundle_paths = vec![folder.path().join("ca.pem")];
        let x509pop = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths });
        let node_attestors = NodeAttestorsConfig { join_token: false, x509pop: Some(x509pop) };
        let domain = Domain::start_with(&clock, node_attestors).await;
        let selectors = [Selector::parse("x509pop:subject:cn:node").unwrap()].into_iter().collect();
        let alias = EntryDraft::new(domain.id(NODE), domain.trust_domain.server_id(), selectors);
        domain.entries().create_entry(None, &alias).await.unwrap();
        Self { domain, hand, folder }
    }

    pub(crate) fn files(&self) -> X509PopFiles {
        X509PopFiles {
            private_key_path: self.folder.path().join("node.key"),
            certificate_path: self.folder.path().join("node.pem"),
            intermediates_path: None,
        }
    }

    pub(crate) async fn agent_config(&self) -> AgentConfig {
        let mut config = self.domain.agent_config_without_token().await;
        config.node_attestor = NodeAttestorConfig::X509Pop(self.files());
        config
    }

    /// The only agent that the server knows.
    pub(crate) async fn node(&self) -> Node {
        let mut nodes = self.domain.agents().list_agents(AgentFilter::default()).await.unwrap();
        assert_eq!(nodes.len(), 1);
        nodes.remove(0)
    }

    /// Waits until the server knows an agent with another certificate than this one, which the agent has used: it has
    /// told its version.
    async fn comes_back(&self, serial_number: &str) -> SpiffeId {
        let back = async {
            for _ in 0..QUESTIONS {
                let nodes = self.domain.agents().list_agents(AgentFilter::default()).await.unwrap();
                let is_back =
                    |node: &&Node| node.serial_number != serial_number && !node.agent_version.is_empty();
                if let Some(node) = nodes.iter().find(is_back) {
                    return node.id.clone();
                }
            }
            panic!("the agent has not come back");
        };
        self.domain.meanwhile(&self.hand, back).await
    }

    /// Lets minutes pass one by one, as they do.
    async fn pass(&self, minutes: u32) {
        for _ in 0..minutes {
            self.hand.step(MINUTE);
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass until the agent has another SVID of its own.
    pub(crate) async fn half_a_life(&self) {
        let before = self.node().await;
        self.pass(34).await;
        assert_eq!(self.comes_back(&before.serial_number).await, before.id);
    }

    /// Gives this process one more identity, and waits until an open stream brings it.
    async fn still_streams(&self, stream: &mut Stream, path: &str) {
        self.domain.entry_for_this_process(path).await;
        let wanted = self.domain.id(path);
        let brought = async {
            loop {
                let context = stream.next().await.expect("the stream goes on").unwrap();
                if context.credentials.iter().any(|credential| credential.svid().id() == &wanted) {
                    return;
                }
            }
        };
        self.domain.meanwhile(&self.hand, brought).await;
    }
}

/// Writes an authority, and a certificate of it with its key.
pub(crate) fn provision(folder: &Path) {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        params
    };
    let mut authority = params("somebody's authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut node = params("node");
    node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let node = node.signed_by(&key, &authority).unwrap();
    for (name, text) in
        [("ca.pem", authority.pem()), ("node.pem", node.pem()), ("node.key", key.serialize_pem())]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_agent_comes_back_by_itself_and_no_stream_ends() {
    let machine = Machine::start().await;
    let domain = &machine.domain;
    let agent = domain.start_agent_with(machine.agent_config().await).await.unwrap();
    domain.entry_for_this_process("/web").await;
    let (mut stream, _) = domain.meanwhile(&machine.hand, domain.x509_svids()).await;

    let before = machine.node().await;
    domain.agents().delete_agent(&before.id).await.unwrap();
    assert_eq!(machine.comes_back(&before.serial_number).await, before.id);
    machine.still_streams(&mut stream, "/after-eviction").await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_lost_its_data_folder_is_the_same_agent() {
    let machine = Machine::start().await;
    let config = machine.agent_config().await;
    let agent = machine.domain.start_agent_with(config.clone()).await.unwrap();
    let before = machine.node().await;
    agent.stop().await.unwrap();
    std::fs::remove_dir_all(&config.data_dir).unwrap();
    let agent = machine.domain.start_agent_with(config).await.unwrap();
    let after = machine.node().await;
    assert_eq!(after.id, before.id);
    assert_ne!(after.serial_number, before.serial_number);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banned_agent_ends_and_names_the_remedy_which_works() {
    let machine = Machine::start().await;
    let domain = &machine.domain;
    let mut agent = domain.start_agent_with(machine.agent_config().await).await.unwrap();
    let id = machine.node().await.id;
    domain.agents().ban_agent(&id).await.unwrap();
    let end = domain.meanwhile(&machine.hand, agent.ended()).await.unwrap_err().to_string();
    assert!(end.contains("an operator banned it"), "{end}");
    assert!(end.contains(&format!("`finial agent evict -spiffeID {id}`")), "{end}");

    let refused = domain.start_agent_with(machine.agent_config().await).await.err().unwrap();
    assert!(refused.to_string().contains("agent is banned"), "{refused}");
    domain.agents().delete_agent(&id).await.unwrap();
    let agent = domain.start_agent_with(machine.agent_config().await).await.unwrap();
    assert_eq!(machine.node().await.id, id);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_svid_expired_in_an_outage_comes_back_by_itself() {
    let mut machine = Machine::start().await;
    let agent = machine.domain.start_agent_with(machine.agent_config().await).await.unwrap();
    let before = machine.node().await;

    machine.domain.stop_server().await;
    machine.pass(70).await;
    machine.domain.start_server().await;
    assert_eq!(machine.comes_back(&before.serial_number).await, before.id);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_half_life_the_agent_attests_and_no_stream_ends() {
    let machine = Machine::start().await;
    let domain = &machine.domain;
    let agent = domain.start_agent_with(machine.agent_config().await).await.unwrap();
    domain.entry_for_this_process("/web").await;
    let (mut stream, _) = domain.meanwhile(&machine.hand, domain.x509_svids()).await;
    machine.half_a_life().await;
    machine.still_streams(&mut stream, "/after-the-renewal").await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_with_a_rival_comes_back_once_the_rival_is_gone() {
    let machine = Machine::start().await;
    let domain = &machine.domain;
    let agent = domain.start_agent_with(machine.agent_config().await).await.unwrap();
    let mut rival = machine.agent_config().await;
    rival.move_to(&domain.path("rival"));
    rival.socket_path = domain.path("rival.sock");
    domain.start_agent_with(rival).await.unwrap().stop().await.unwrap();
    let rivals = machine.node().await;
    assert_eq!(machine.comes_back(&rivals.serial_number).await, rivals.id);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_told_to_attest_again_does() {
    let machine = Machine::start().await;
    let config = machine.agent_config().await;
    let agent = machine.domain.start_agent_with(config.clone()).await.unwrap();
    agent.stop().await.unwrap();
    // It has forgotten that it can, and will ask for a renewal.
    let path = config.data_dir.join("agent-data.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored["reattestable"] = false.into();
    std::fs::write(&path, serde_json::to_vec(&stored).unwrap()).unwrap();

    let agent = machine.domain.start_agent_with(config).await.unwrap();
    machine.half_a_life().await;
    agent.stop().await.unwrap();
    let stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(stored["reattestable"], true);
}
