//! What keeps an agent from starting.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use finial_daemon::Clock;
use finial_daemon::socket::{self, Access};
use finial_identity::TrustDomain;
use finial_receive::testing::{Authority, start};

use super::build;
use crate::{Config, KeysConfig, Servers, TrustBundle};

fn config(folder: &Path) -> Config {
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let mut config = Config::new(trust_domain, "localhost", 1, folder.join("data"));
    config.socket_path = folder.join("agent.sock");
    config.trust_bundle = TrustBundle::Given(Authority::new("example.org").bundle().as_ref().clone());
    config.keys = KeysConfig::Memory;
    config
}

async fn refusal(config: Config) -> String {
    let (clock, _hand) = Clock::manual(start());
    format!("{:#}", build(config, &clock).await.unwrap_err())
}

#[tokio::test]
async fn an_agent_without_identity_and_token_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let text = refusal(config(folder.path())).await;
    assert!(text.contains("`finial token generate -spiffeID spiffe://example.org/"), "{text}");
}

#[tokio::test]
async fn a_second_agent_on_the_socket_is_refused_before_it_shows_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _hand) = Clock::manual(start());
    let config = config(folder.path());
    let _first = socket::bind(&config.socket_path, Access::EVERYONE, &clock).unwrap();
    let text = refusal(Config { join_token: Some("t".to_owned()), ..config.clone() }).await;
    assert!(text.contains(&format!("another process serves {}", config.socket_path.display())), "{text}");
    assert!(!config.data_dir.exists());
}

#[tokio::test]
async fn a_token_is_not_shown_without_a_bundle_to_verify_the_server_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.join_token = Some("t".to_owned());
    config.trust_bundle = TrustBundle::NotGiven;
    let text = refusal(config).await;
    assert!(text.starts_with("no trust bundle to verify the server with"), "{text}");
}

#[tokio::test]
async fn a_server_address_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::parse("a b", Some(1)).unwrap();
    let text = refusal(Config { servers, ..config(folder.path()) }).await;
    assert!(text.starts_with("the server address `a b` is neither a host name nor an IP address"), "{text}");
}

#[tokio::test]
async fn the_data_of_another_trust_domain_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let storage = crate::storage::Storage::new(folder.path(), config.trust_domain.clone());
    let mut stored = storage.load().unwrap();
    stored.svid =
        Some(Authority::new("other.test").credential("spiffe://other.test/spire/agent/a").svid().clone());
    storage.save(&stored).await.unwrap();
    let text = refusal(Config { data_dir: folder.path().to_owned(), ..config }).await;
    assert!(text.contains("holds the identity spiffe://other.test/spire/agent/a"), "{text}");
}
