//! Starting, stopping, and what is still there afterwards.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finial_wire::EntryFilter;
use finial_wire::client::{BundleClient, ChangesClient, EntryClient};
use futures_util::StreamExt;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::fixture::{Server, clock, draft, id};
use crate::{KeysConfig, StoreConfig, build};

#[tokio::test]
async fn entries_agents_and_authorities_outlive_a_restart() {
    let server = Server::start_with(|_| {}).await;
    let agent = server.agent().await;
    server.entries().create_entry(None, &draft("/web", agent.id())).await.unwrap();
    let before = BundleClient::new(server.operator()).bundle().await.unwrap();

    let server = server.restart().await;
    let after = BundleClient::new(server.operator()).bundle().await.unwrap();
    assert_eq!(after, before);
    let agent = server.stranger(Some(agent.credential)).await;
    assert_eq!(EntryClient::new(agent).authorized_entries().await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn files_are_made_with_the_right_modes() {
    let server = Server::start_with(|config| config.data_dir = config.data_dir.join("data")).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&server.folder.path().join("data")), 0o755);
    assert_eq!(mode(&server.folder.path().join("keys.json")), 0o600);
    assert_eq!(mode(&server.config.socket_path), 0o770);
    server.stop().await;
}

#[tokio::test]
async fn second_server_on_the_same_socket_is_refused_and_harms_nothing() {
    let server = Server::start().await;
    let refused = build(server.config.clone(), &clock().0).await.err().unwrap();
    assert!(refused.to_string().starts_with("another process serves"), "{refused:#}");
    server.entries().create_entry(None, &draft("/web", &id("/host"))).await.unwrap();
    assert_eq!(server.entries().count_entries(EntryFilter::default()).await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test]
async fn open_streams_do_not_keep_a_server_from_stopping() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let mut watched = ChangesClient::new(agent.channel.clone()).watch(0).await.unwrap();
    watched.next().await.unwrap().unwrap();
    server.stop().await;
    drop(watched);
}

#[tokio::test]
async fn stopping_server_says_that_it_serves_no_more() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.operator());
    let mut health = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopping = server.stop();
    let heard = async {
        let status = health.message().await.unwrap().unwrap().status();
        drop((health, client));
        status
    };
    let (_, status) = tokio::join!(stopping, heard);
    assert_eq!(status, ServingStatus::NotServing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aged_connection_gives_way_to_another_and_its_stream_goes_on() {
    let server = Server::start_with(|config| {
        config.store = StoreConfig::Memory;
        config.keys = KeysConfig::Memory;
        config.connection_age = Duration::from_millis(100);
    })
    .await;
    let agent = server.agent().await;
    let mut changes = ChangesClient::new(agent.channel.clone()).watch(0).await.unwrap();
    let first = changes.next().await.unwrap().unwrap();
    let made = || server.connections.load(Ordering::Relaxed);
    let (before, client) = (made(), BundleClient::new(agent.channel.clone()));
    // An age is real time, which passes while calls are answered.
    for _ in 0..100_000 {
        // One that meets the end of the old connection is cancelled before it was sent.
        if let Err(status) = client.bundle().await {
            assert_eq!(status.code(), Code::Cancelled, "{status}");
        }
        if made() >= before + 2 {
            break;
        }
    }
    assert!(made() >= before + 2, "no other connection was made");
    server.entries().create_entry(None, &draft("/web", agent.id())).await.unwrap();
    assert!(changes.next().await.unwrap().unwrap() > first);
    drop(changes);
    server.stop().await;
}
