//! The stream of revisions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Node, SelectorSet, SpiffeId};
use finial_store::{DataStore, Index, SqliteStore};
use finial_wire::server::ChangesApi;
use futures_util::{FutureExt, StreamExt};
use tonic::Extensions;

use super::{Changes, revisions};

const LIFE: Duration = Duration::from_secs(3600);

struct Server {
    store: Arc<dyn DataStore>,
    index: Index,
    tasks: Tasks,
    clock: Clock,
    hand: ClockHand,
}

impl Server {
    async fn start() -> Self {
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let tasks = Tasks::new(clock.clone());
        let store: Arc<dyn DataStore> = Arc::new(SqliteStore::in_memory().await.unwrap());
        let index = Index::start(Arc::clone(&store), &clock, &tasks).await.unwrap();
        Self { store, index, tasks, clock, hand }
    }

    fn changes(&self) -> Changes {
        Changes::new(self.index.subscribe(), LIFE, &self.clock, self.tasks.drain())
    }

    /// Writes a node, and waits until the index holds it.
    async fn write(&self, node: Node) -> u64 {
        let revision = self.store.create_or_replace_node(node).await.unwrap();
        self.index.reached(revision).await.unwrap();
        revision
    }
}

fn node(name: &str, serial_number: &str) -> Node {
    Node {
        id: SpiffeId::parse(format!("spiffe://example.org/spire/agent/join_token/{name}")).unwrap(),
        attestation_type: "join_token".to_owned(),
        serial_number: serial_number.to_owned(),
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000),
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: String::new(),
    }
}

#[tokio::test]
async fn newest_revision_comes_at_once_then_after_each_change() {
    let server = Server::start().await;
    let first = server.write(node("a", "1")).await;
    let changes = server.changes();
    let mut stream = changes.watch(&Extensions::default()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), first);
    assert!(stream.next().now_or_never().is_none(), "nothing changed");
    let second = server.write(node("b", "2")).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), second);
}

#[tokio::test]
async fn slow_reader_hears_only_the_newest() {
    let server = Server::start().await;
    let changes = server.changes();
    let mut stream = changes.watch(&Extensions::default()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let mut newest = 0;
    for number in 0..10 {
        newest = server.write(node(&format!("n{number}"), "1")).await;
    }
    assert_eq!(stream.next().await.unwrap().unwrap(), newest);
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test]
async fn streams_end_at_the_drain() {
    let server = Server::start().await;
    let changes = server.changes();
    let mut stream = changes.watch(&Extensions::default()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    server.tasks.drain().request();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn stream_of_a_banned_agent_ends() {
    let server = Server::start().await;
    let agent = node("a", "1");
    server.write(agent.clone()).await;
    let mut stream = Box::pin(revisions(server.index.subscribe(), Some(agent.id.clone())));
    stream.next().await.unwrap().unwrap();
    server.write(Node { serial_number: String::new(), ..agent }).await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn stream_ends_after_its_life_and_the_next_one_begins_with_the_newest_revision() {
    let server = Server::start().await;
    let changes = server.changes();
    let mut stream = changes.watch(&Extensions::default()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert!(stream.next().now_or_never().is_none());
    server.hand.step(LIFE * 8 / 10);
    assert!(stream.next().now_or_never().is_none(), "it has not lived long enough");
    server.hand.step(LIFE * 4 / 10);
    assert!(stream.next().await.is_none());
    let newest = server.write(node("a", "1")).await;
    let mut next = changes.watch(&Extensions::default()).await.unwrap();
    assert_eq!(next.next().await.unwrap().unwrap(), newest);
}
