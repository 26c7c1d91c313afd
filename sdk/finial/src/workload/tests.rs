//! Two workloads that speak with each other, and what ends that.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use finial_receive::{Endpoint, NotLive, Source};
use finial_tls::{Fallen, TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Workload;
use crate::fixtures::{CLIENT, SERVER, World, only};
use crate::{Error, Tasks};

#[tokio::test]
async fn two_workloads_know_each_other() {
    let world = World::new();
    let (_server_writer, server) = world.workload(SERVER);
    let (_client_writer, client) = world.workload(CLIENT);
    let mut listener = server.listen("127.0.0.1:0", only(CLIENT)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (mut accepted, dialled) = tokio::join!(listener.accept(), client.dial(&address, only(SERVER)));
    let mut dialled = dialled.unwrap();
    assert_eq!(accepted.peer().spiffe_id().as_str(), CLIENT);
    assert_eq!(dialled.peer().spiffe_id().as_str(), SERVER);
    accepted.write_all(b"hello").await.unwrap();
    accepted.shutdown().await.unwrap();
    let mut text = String::new();
    dialled.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn a_caller_that_says_nothing_keeps_nobody_waiting() {
    let world = World::new();
    let (_server_writer, server) = world.workload(SERVER);
    let (_client_writer, client) = world.workload(CLIENT);
    let mut listener = server.listen("127.0.0.1:0", only(CLIENT)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _silent = TcpStream::connect(&address).await.unwrap();
    let (accepted, _dialled) = tokio::join!(listener.accept(), client.dial(&address, only(SERVER)));
    assert_eq!(accepted.peer().spiffe_id().as_str(), CLIENT);
}

#[tokio::test]
async fn a_server_that_is_not_permitted_is_refused() {
    let world = World::new();
    let (_server_writer, server) = world.workload(SERVER);
    let (_client_writer, client) = world.workload(CLIENT);
    let mut listener = server.listen("127.0.0.1:0", only(CLIENT)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let refusal = tokio::select! {
        refusal = client.dial(&address, only(CLIENT)) => refusal.unwrap_err(),
        _ = listener.accept() => panic!("the handshake was completed"),
    };
    assert!(matches!(refusal, Error::Tls { cause: TlsError::Unauthorized { .. }, .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_waiting_read_fails_when_the_trust_goes() {
    let world = World::new();
    let (writer, server) = world.workload(SERVER);
    let (_client_writer, client) = world.workload(CLIENT);
    let mut listener = server.listen("127.0.0.1:0", only(CLIENT)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (mut accepted, _dialled) = tokio::join!(listener.accept(), client.dial(&address, only(SERVER)));
    let (read, ()) = tokio::join!(accepted.read_u8(), async { writer.withdraw("the entry was deleted") });
    let error = read.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    let cause = error.get_ref().unwrap().downcast_ref();
    assert!(matches!(cause, Some(Fallen::Own(NotLive::Withdrawn(_)))), "{error:?}");
    assert_eq!(accepted.write_u8(0).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn without_an_identity_in_time_the_reason_is_told() {
    let world = World::new();
    let (_writer, source) = Source::channel(&world.clock);
    let workload = Workload::from_source(source);
    let (ready, ()) = tokio::join!(workload.ready(Duration::from_secs(30)), async {
        world.hand.sleepers(1).await;
        world.hand.step(Duration::from_secs(30));
    });
    let cause = ready.unwrap_err().source().unwrap().to_string();
    assert_eq!(cause, NotLive::Waiting.to_string());
}

#[tokio::test]
async fn only_a_workload_of_an_agent_has_tokens() {
    let world = World::new();
    assert!(world.workload(SERVER).1.jwt().is_none());
    let tasks = Tasks::new(world.clock.clone());
    let endpoint = Endpoint::parse("unix:///nowhere/agent.sock").unwrap();
    let workload = Workload::open(&endpoint, &world.clock, &tasks);
    assert!(workload.jwt().is_some());
    assert!(workload.id().is_err());
}
