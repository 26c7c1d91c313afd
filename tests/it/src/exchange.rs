//! x509pop in the mode `spiffe`: an agent inside a machine becomes one by the SVID that the machine's agent gives it.

use std::time::{Duration, SystemTime};

use finial_agent::NodeAttestorConfig;
use finial_attest::{X509PopConfig, X509PopMode};
use finial_daemon::Clock;
use finial_receive::Endpoint;
use finial_server::NodeAttestorsConfig;

use crate::domain::{Domain, QUESTIONS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_svid_is_exchanged_for_an_agents_and_again_after_an_eviction() {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let svid_prefix = X509PopMode::SVID_PREFIX.to_owned();
    let x509pop = Some(X509PopConfig::new(X509PopMode::Spiffe { svid_prefix }));
    let domain = Domain::start_with(&clock, NodeAttestorsConfig { join_token: true, x509pop }).await;
    let outer = domain.start_agent().await;
    domain.entry_for_this_process("/spire-exchange/guest").await;
    let _svids = domain.meanwhile(&hand, domain.x509_svids()).await;

    let mut config = domain.agent_config_without_token().await;
    config.move_to(&domain.path("guest"));
    config.socket_path = domain.path("guest.sock");
    config.node_attestor = NodeAttestorConfig::X509PopSpiffe(Endpoint::Unix(domain.path("agent.sock")));
    let inner = domain.start_agent_with(config).await.unwrap();

    let id = domain.id("/spire/agent/x509pop/guest");
    let first = domain.agents().agent(&id).await.unwrap();
    domain.agents().delete_agent(&id).await.unwrap();
    let back = async {
        for _ in 0..QUESTIONS {
            if let Ok(node) = domain.agents().agent(&id).await {
                return node;
            }
        }
        panic!("the agent has not come back");
    };
    let again = domain.meanwhile(&hand, back).await;
    assert_ne!(again.serial_number, first.serial_number);
    inner.stop().await.unwrap();
    outer.stop().await.unwrap();
}
