//! The stream of revisions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{
    Bundle, Entry, EntryDraft, EntryId, Node, Selector, SelectorSet, SpiffeId, TrustDomain,
};
use finial_store::{DataStore, Index, SqliteStore};
use finial_wire::server::ChangesApi;
use futures_util::{FutureExt, StreamExt};
use tonic::{Code, Extensions};

use super::Changes;

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
        let (clock, hand) = Clock::manual(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let tasks = Tasks::new(clock.clone());
        let store: Arc<dyn DataStore> = Arc::new(SqliteStore::in_memory().await.unwrap());
        let index = Index::start(Arc::clone(&store), &clock, &tasks).await.unwrap();
        Self { store, index, tasks, clock, hand }
    }

    /// With one agent.
    async fn with_agent() -> (Self, Node) {
        let (server, agent) = (Self::start().await, node("a", "1"));
        server.write(agent.clone()).await;
        (server, agent)
    }

    fn changes(&self) -> Changes {
        Changes::new(self.index.subscribe(), LIFE, &self.clock, &self.tasks)
    }

    /// Writes a node, and waits until the index holds it.
    async fn write(&self, node: Node) -> u64 {
        let revision = self.store.create_or_replace_node(node).await.unwrap();
        self.index.reached(revision).await.unwrap();
        revision
    }

    /// Writes an entry below this agent, and waits until the index holds it.
    async fn write_entry(&self, name: &str, agent: &Node) -> u64 {
        let selectors = [Selector::parse("unix:uid:1").unwrap()].into_iter().collect();
        let trust_domain = TrustDomain::parse("example.org").unwrap();
        let draft = EntryDraft::new(
            SpiffeId::new(&trust_domain, &format!("/{name}")).unwrap(),
            agent.id.clone(),
            selectors,
        );
        let entry = Entry::new(draft, EntryId::new(name).unwrap(), &trust_domain, UNIX_EPOCH).unwrap();
        let revision = self.store.create_entry(entry).await.unwrap();
        self.index.reached(revision).await.unwrap();
        revision
    }
}

fn node(name: &str, serial_number: &str) -> Node {
    Node {
        id: SpiffeId::parse(format!("spiffe://example.org/spire/agent/join_token/{name}")).unwrap(),
        attestation_type: "join_token".to_owned(),
        serial_number: serial_number.to_owned(),
        expires_at: UNIX_EPOCH + Duration::from_secs(1_900_000_000),
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: String::new(),
    }
}

#[tokio::test]
async fn newest_revision_comes_at_once_then_after_each_change() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    assert_eq!(stream.next().await.unwrap().unwrap(), server.index.snapshot().revision());
    assert!(stream.next().now_or_never().is_none(), "nothing changed");
    let second = server.write_entry("e", &agent).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), second);
}

#[tokio::test]
async fn caller_that_no_permit_names_an_agent_is_refused() {
    let (server, _) = Server::with_agent().await;
    let Err(refused) = server.changes().watch(&Extensions::default()).await else { panic!("it was let in") };
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn slow_reader_hears_only_the_newest() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    let mut newest = 0;
    for number in 0..10 {
        newest = server.write_entry(&format!("e{number}"), &agent).await;
    }
    let mut heard = 1;
    while stream.next().await.unwrap().unwrap() < newest {
        heard += 1;
    }
    assert!(heard < 10, "each of ten revisions was told, {heard} in all");
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test]
async fn streams_end_at_the_drain() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    server.tasks.drain().request();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn agent_hears_of_what_concerns_it_and_of_nothing_else() {
    let server = Server::start().await;
    let (own, other) = (node("a", "1"), node("b", "1"));
    server.write(other.clone()).await;
    let first = server.write(own.clone()).await;
    let changes = server.changes();
    let (mut stream, mut others) = (changes.revisions(&own.id), changes.revisions(&other.id));
    assert_eq!(stream.next().await.unwrap().unwrap(), first);
    assert_eq!(others.next().await.unwrap().unwrap(), first);
    let revision = server.write_entry("e", &own).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), revision);
    assert!(others.next().now_or_never().is_none(), "the entry is below another agent");
    // Bundles are for everyone.
    let bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
    let revision = server.store.put_bundle(bundle).await.unwrap().revision;
    assert_eq!(stream.next().await.unwrap().unwrap(), revision);
    assert_eq!(others.next().await.unwrap().unwrap(), revision);
}

#[tokio::test]
async fn agent_that_renews_wakes_nobody() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    server.write(Node { serial_number: "2".into(), ..agent.clone() }).await;
    // What comes next shows that the renewal has been passed over.
    let revision = server.write_entry("e", &agent).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), revision);
}

#[tokio::test]
async fn both_streams_of_an_agent_hear_and_the_end_of_one_leaves_the_other() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let (mut old, mut new) = (changes.revisions(&agent.id), changes.revisions(&agent.id));
    old.next().await.unwrap().unwrap();
    new.next().await.unwrap().unwrap();
    let revision = server.write_entry("e", &agent).await;
    assert_eq!(old.next().await.unwrap().unwrap(), revision);
    assert_eq!(new.next().await.unwrap().unwrap(), revision);
    drop(old);
    let revision = server.write_entry("f", &agent).await;
    assert_eq!(new.next().await.unwrap().unwrap(), revision);
}

#[tokio::test]
async fn stream_of_a_banned_agent_ends() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    server.write(Node { serial_number: String::new(), ..agent.clone() }).await;
    while let Some(revision) = stream.next().await {
        revision.unwrap();
    }
    assert!(changes.revisions(&agent.id).next().await.is_none(), "nor is another begun");
}

#[tokio::test]
async fn agent_that_comes_back_hears_again() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut gone = changes.revisions(&agent.id);
    gone.next().await.unwrap().unwrap();
    server.store.delete_node(&agent.id).await.unwrap();
    gone.next().await.unwrap().unwrap();
    assert!(gone.next().await.is_none());
    server.write(agent.clone()).await;
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    // The end of the stream from before takes nothing from the one after it.
    drop(gone);
    let revision = server.write_entry("e", &agent).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), revision);
}

#[tokio::test]
async fn stream_ends_after_its_life_and_the_next_one_begins_with_the_newest_revision() {
    let (server, agent) = Server::with_agent().await;
    let changes = server.changes();
    let mut stream = changes.revisions(&agent.id);
    stream.next().await.unwrap().unwrap();
    assert!(stream.next().now_or_never().is_none());
    server.hand.step(LIFE * 8 / 10);
    assert!(stream.next().now_or_never().is_none(), "it has not lived long enough");
    server.hand.step(LIFE * 4 / 10);
    assert!(stream.next().await.is_none());
    let newest = server.write_entry("e", &agent).await;
    let mut next = changes.revisions(&agent.id);
    assert_eq!(next.next().await.unwrap().unwrap(), newest);
}
