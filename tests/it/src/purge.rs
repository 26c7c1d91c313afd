//! `agent purge`: of the agents whose SVID is over, those go that can attest again.

use std::process::Command;
use std::time::{Duration, SystemTime};

use finial_agent::{Config as AgentConfig, NodeAttestorConfig};
use finial_attest::{X509PopConfig, X509PopFiles, X509PopMode};
use finial_daemon::Clock;
use finial_identity::SpiffeId;
use finial_server::NodeAttestorsConfig;
use finial_testkit::{finial, run};
use finial_wire::AgentFilter;
use tempfile::TempDir;

use crate::domain::Domain;
use crate::reattestation::provision;

struct Story {
    domain: Domain,
    /// Of two nodes: the authority and the certificate of each.
    nodes: [TempDir; 2],
}

impl Story {
    async fn begin(clock: &Clock) -> Self {
        let nodes = [(); 2].map(|()| tempfile::tempdir().unwrap());
        nodes.iter().for_each(|node| provision(node.path()));
        let ca_bundle_paths = nodes.iter().map(|node| node.path().join("ca.pem")).collect();
        let x509pop = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths });
        let attestors = NodeAttestorsConfig { join_token: true, x509pop: Some(x509pop) };
        Self { domain: Domain::start_with(clock, attestors).await, nodes }
    }

    async fn node(&self, n: usize) -> AgentConfig {
        let mut config = self.domain.agent_config_without_token().await;
        let path = |name| self.nodes[n].path().join(name);
        config.node_attestor = NodeAttestorConfig::X509Pop(X509PopFiles {
            private_key_path: path("node.key"),
            certificate_path: path("node.pem"),
            intermediates_path: None,
        });
        config
    }

    /// An agent that attests, and stops. Tells its ID.
    async fn attests(&self, mut config: AgentConfig, name: &str) -> SpiffeId {
        let before = self.known().await;
        config.data_dir = self.domain.path(name);
        self.domain.start_agent_with(config).await.unwrap().stop().await.unwrap();
        self.known().await.into_iter().find(|id| !before.contains(id)).unwrap()
    }

    async fn known(&self) -> Vec<SpiffeId> {
        let agents = self.domain.agents().list_agents(AgentFilter::default()).await.unwrap();
        agents.into_iter().map(|agent| agent.id).collect()
    }

    fn purge(&self, args: &[&str]) -> String {
        let mut command = Command::new(finial());
        command.args(["agent", "purge"]).args(args);
        command.env("SPIRE_SERVER_PRIVATE_SOCKET", self.domain.path("server.sock"));
        run(&mut command).expect_success()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_are_over_and_can_attest_again_are_purged_and_no_others() {
    // The command asks the clock of the machine: what ended in 2023 has ended by it, what begins in 2049 has not.
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let (clock, hand) = Clock::manual(at(1_700_000_000));
    let story = Story::begin(&clock).await;
    let over = story.attests(story.node(0).await, "over").await;
    let by_token = story.attests(story.domain.agent_config().await, "token").await;
    hand.set(at(2_492_000_000));
    let awake = async {
        let authorities = story.domain.authorities();
        let active = async || authorities.x509_authorities().await.unwrap().active;
        while active().await.is_none_or(|authority| authority.expires_at < clock.now()) {}
    };
    story.domain.meanwhile(&hand, awake).await;
    let valid = story.attests(story.node(1).await, "valid").await;

    let told = story.purge(&["-dryRun"]);
    assert_eq!(
        told,
        format!("Found 1 expired agent\n\n\nAgents that can be purged:\nSPIFFE ID         : {over}\n")
    );
    assert_eq!(story.known().await.len(), 3);

    assert_eq!(story.purge(&["-expiredFor", "1000000h"]), "No agents to purge.\n");
    let told = story.purge(&["-output", "json"]);
    assert_eq!(told, format!("{{\"expired_agents\":[{{\"agent_id\":\"{over}\",\"deleted\":true}}]}}\n"));
    let mut left = story.known().await;
    left.sort();
    let mut expected = vec![by_token, valid];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(story.purge(&[]), "No agents to purge.\n");
}
