//! What snapshots answer, and how the index follows a store through good and bad days.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Bundle, Entry, EntryDraft, EntryId, Node, SelectorSet, SpiffeId, TrustDomain};
use sqlx::ConnectOptions;
use tempfile::TempDir;

use super::{Index, Snapshot, Stopped};
use crate::{Bundles, Changes, DataStore, Entries, Federating, Nodes, SqliteStore};

fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&TrustDomain::parse("example.org").unwrap(), path).unwrap()
}

fn selectors(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn entry(name: &str, path: &str, parent: &str, texts: &[&str]) -> Entry {
    let draft = EntryDraft::new(id(path), id(parent), selectors(texts));
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    Entry::new(draft, EntryId::new(name).unwrap(), &trust_domain, SystemTime::UNIX_EPOCH).unwrap()
}

fn node(name: &str) -> Node {
    Node {
        id: id(&format!("/spire/agent/{name}")),
        attestation_type: "x509pop".into(),
        serial_number: "1".into(),
        expires_at: SystemTime::UNIX_EPOCH,
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: true,
        agent_version: String::new(),
    }
}

fn names<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Vec<&'a str> {
    entries.map(|entry| entry.id.as_str()).collect()
}

fn snapshot(entries: impl IntoIterator<Item = Entry>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    entries.into_iter().for_each(|entry| snapshot.insert_entry(entry));
    snapshot
}

#[test]
fn entries_are_found_by_id_parent_and_spiffe_id() {
    let snapshot = snapshot([
        entry("c", "/w", "/spire/agent/x", &["unix:uid:1"]),
        entry("a", "/w", "/spire/agent/y", &["unix:uid:1"]),
        entry("b", "/v", "/spire/agent/x", &["unix:uid:2"]),
    ]);
    assert_eq!(names(snapshot.entries()), ["a", "b", "c"]);
    assert_eq!(names(snapshot.entries_after(&EntryId::new("a").unwrap())), ["b", "c"]);
    assert_eq!(names(snapshot.entries_after(&EntryId::new("aa").unwrap())), ["b", "c"]);
    assert_eq!(names(snapshot.entries_by_parent(&id("/spire/agent/x"))), ["b", "c"]);
    assert_eq!(names(snapshot.entries_by_spiffe_id(&id("/w"))), ["a", "c"]);
    assert_eq!(snapshot.entry(&EntryId::new("b").unwrap()).unwrap().spiffe_id, id("/v"));
    assert!(snapshot.entry(&EntryId::new("d").unwrap()).is_none());
    assert_eq!(snapshot.entries_by_parent(&id("/spire/agent/z")).count(), 0);
}

#[test]
fn entries_with_one_spiffe_id_come_and_go_in_any_order() {
    let all = ["a", "b", "c", "d"];
    for inserted in ["abcd", "dcba", "cadb"] {
        for removed in ["abcd", "dcba", "bdac"] {
            let of = |name| entry(name, "/w", "/spire/agent/x", &["unix:uid:1"]);
            let name = |letter: char| all.into_iter().find(|name| name.starts_with(letter)).unwrap();
            let mut snapshot = snapshot(inserted.chars().map(|letter| of(name(letter))));
            let mut left = all.to_vec();
            for letter in removed.chars() {
                assert_eq!(names(snapshot.entries_by_spiffe_id(&id("/w"))), left, "{inserted} {removed}");
                snapshot.remove_entry(&EntryId::new(name(letter)).unwrap());
                left.retain(|name| !name.starts_with(letter));
            }
            assert_eq!(snapshot.entries_by_spiffe_id(&id("/w")).count(), 0);
        }
    }
}

#[test]
fn a_replaced_entry_is_found_where_it_is_now_only() {
    let mut snapshot = snapshot([entry("a", "/w", "/spire/agent/x", &["unix:uid:1"])]);
    let before = snapshot.clone();
    snapshot.insert_entry(entry("a", "/v", "/spire/server", &["k:v"]));
    assert_eq!(snapshot.entry_count(), 1);
    assert_eq!(snapshot.entries_by_parent(&id("/spire/agent/x")).count(), 0);
    assert_eq!(snapshot.entries_by_spiffe_id(&id("/w")).count(), 0);
    assert_eq!(names(snapshot.aliases_matching(&selectors(&["k:v"]))), ["a"]);
    assert_eq!(names(before.entries_by_spiffe_id(&id("/w"))), ["a"], "older snapshots stay as they are");

    snapshot.insert_entry(entry("a", "/v", "/spire/server", &["k:w"]));
    assert_eq!(snapshot.aliases_matching(&selectors(&["k:v"])).count(), 0);
    snapshot.remove_entry(&EntryId::new("a").unwrap());
    assert_eq!(snapshot.aliases_matching(&selectors(&["k:w"])).count(), 0);
    assert_eq!(snapshot.entry_count(), 0);
}

#[test]
fn a_node_has_the_aliases_whose_selectors_it_has() {
    let server = "/spire/server";
    let snapshot = snapshot([
        entry("cluster", "/c", server, &["k8s:cluster:a"]),
        entry("node", "/n", server, &["k8s:cluster:a", "k8s:node:1"]),
        entry("other", "/o", server, &["k8s:cluster:a", "k8s:node:2"]),
        entry("three", "/t", server, &["k8s:cluster:a", "k8s:node:1", "k8s:zone:z"]),
        entry("no-alias", "/w", "/spire/agent/x", &["k8s:cluster:a"]),
    ]);
    let matching = |texts: &[&str]| {
        let selectors = selectors(texts);
        let mut found: Vec<_> =
            snapshot.aliases_matching(&selectors).map(|entry| entry.id.to_string()).collect();
        found.sort();
        found
    };
    assert_eq!(matching(&["k8s:cluster:a", "k8s:node:1"]), ["cluster", "node"]);
    assert_eq!(matching(&["k8s:cluster:a", "k8s:node:1", "k8s:zone:z"]), ["cluster", "node", "three"]);
    assert_eq!(matching(&["k8s:cluster:b", "k8s:node:1"]), [] as [&str; 0]);
    assert_eq!(matching(&[]), [] as [&str; 0]);
}

/// A store in a file, with an index that follows it by a clock that the test moves.
struct Fixture {
    _folder: TempDir,
    path: std::path::PathBuf,
    store: Arc<SqliteStore>,
    index: Index,
    hand: ClockHand,
    tasks: Tasks,
}

impl Fixture {
    async fn new(filled: impl AsyncFnOnce(&SqliteStore)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite3");
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        filled(&store).await;
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
        let tasks = Tasks::new(clock.clone());
        let index = Index::start(Arc::clone(&store) as Arc<dyn DataStore>, &clock, &tasks).await.unwrap();
        Self { _folder: folder, path, store, index, hand, tasks }
    }

    async fn create(&self, name: &str) -> Arc<Snapshot> {
        let revision = self.store.create_entry(workload(name)).await.unwrap();
        self.index.reached(revision).await.unwrap()
    }

    /// Lets the index read the log once more.
    async fn poll(&self) {
        self.hand.sleepers(1).await;
        self.hand.step(Duration::from_secs(6));
        self.hand.sleepers(1).await;
    }
}

fn workload(name: &str) -> Entry {
    entry(name, &format!("/{name}"), "/spire/agent/x", &["unix:uid:1"])
}

async fn intrude(path: &Path, statement: &'static str) {
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn the_index_begins_with_all_that_is_stored() {
    let fixture = Fixture::new(async |store| {
        for n in 0..2500 {
            store.create_entry(workload(&format!("{n:04}"))).await.unwrap();
        }
        store.create_or_replace_node(node("a")).await.unwrap();
        store.put_bundle(Bundle::empty(TrustDomain::parse("a.test").unwrap())).await.unwrap();
    })
    .await;
    let snapshot = fixture.index.snapshot();
    assert_eq!((snapshot.entry_count(), snapshot.node_count(), snapshot.revision()), (2500, 1, 2502));
    assert!(snapshot.bundle(&TrustDomain::parse("a.test").unwrap()).is_some());
}

#[tokio::test]
async fn a_committed_change_reaches_the_index_without_a_poll() {
    let fixture = Fixture::new(async |_| {}).await;
    let (store, index) = (&fixture.store, &fixture.index);
    let revision = store.create_entry(workload("a")).await.unwrap();
    assert!(index.reached(revision).await.unwrap().entry(&EntryId::new("a").unwrap()).is_some());
    let revision = store.create_or_replace_node(node("a")).await.unwrap();
    assert!(index.reached(revision).await.unwrap().node(&node("a").id).is_some());
    let a = TrustDomain::parse("a.test").unwrap();
    let revision = store.put_bundle(Bundle::empty(a.clone())).await.unwrap().revision;
    assert_eq!(index.reached(revision).await.unwrap().bundle(&a).unwrap().sequence_number, 1);

    let revision = store.delete_entry(&EntryId::new("a").unwrap()).await.unwrap();
    assert!(index.reached(revision).await.unwrap().entry(&EntryId::new("a").unwrap()).is_none());
    let revision = store.delete_node(&node("a").id).await.unwrap().revision;
    assert!(index.reached(revision).await.unwrap().node(&node("a").id).is_none());
    let revision = store.delete_bundle(&a, Federating::Keep).await.unwrap();
    assert!(index.reached(revision).await.unwrap().bundle(&a).is_none());
}

#[tokio::test]
async fn every_write_of_many_writers_is_in_the_snapshot_that_it_waited_for() {
    let fixture = Fixture::new(async |_| {}).await;
    let writers = (0..32).map(|writer| {
        let fixture = &fixture;
        async move {
            for n in 0..4 {
                let name = format!("{writer}-{n}");
                let snapshot = fixture.create(&name).await;
                assert!(snapshot.entry(&EntryId::new(name).unwrap()).is_some());
            }
        }
    });
    futures_util::future::join_all(writers).await;
    assert_eq!(fixture.index.snapshot().entry_count(), 128);
}

#[tokio::test]
async fn revisions_only_grow() {
    let fixture = Fixture::new(async |_| {}).await;
    let mut snapshots = fixture.index.subscribe();
    let mut last = 0;
    for n in 0..20 {
        fixture.create(&n.to_string()).await;
        let revision = snapshots.borrow_and_update().revision();
        assert!(revision > last);
        last = revision;
    }
}

#[tokio::test]
async fn a_log_that_was_pruned_too_far_makes_the_index_read_everything() {
    let fixture = Fixture::new(async |_| {}).await;
    fixture.create("a").await;
    fixture.hand.sleepers(1).await;
    // All in one transaction of another process, which wakes nobody: the index is behind a log without rows.
    intrude(
        &fixture.path,
        "BEGIN; UPDATE revision SET n = 50; DELETE FROM changes; \
         UPDATE entries SET id = 'b', revision_number = 9 WHERE id = 'a'; COMMIT",
    )
    .await;
    fixture.poll().await;
    let snapshot = fixture.index.reached(50).await.unwrap();
    assert_eq!(names(snapshot.entries()), ["b"]);
}

#[tokio::test]
async fn the_index_serves_on_while_the_store_fails_and_heals() {
    let fixture = Fixture::new(async |_| {}).await;
    fixture.create("a").await;
    fixture.hand.sleepers(1).await;
    intrude(&fixture.path, "ALTER TABLE changes RENAME TO hidden").await;
    for _ in 0..3 {
        fixture.poll().await;
        assert_eq!(names(fixture.index.snapshot().entries()), ["a"]);
    }
    intrude(&fixture.path, "ALTER TABLE hidden RENAME TO changes").await;
    let revision = fixture.store.create_entry(workload("b")).await.unwrap();
    fixture.poll().await;
    assert_eq!(names(fixture.index.reached(revision).await.unwrap().entries()), ["a", "b"]);
}

#[tokio::test]
async fn a_store_that_went_back_is_not_followed_until_it_has_come_as_far() {
    let fixture = Fixture::new(async |_| {}).await;
    fixture.create("a").await;
    fixture.create("b").await;
    fixture.hand.sleepers(1).await;
    intrude(
        &fixture.path,
        "BEGIN; UPDATE revision SET n = 1; DELETE FROM changes WHERE revision > 1; \
         DELETE FROM entries WHERE id = 'b'; COMMIT",
    )
    .await;
    fixture.poll().await;
    assert_eq!(names(fixture.index.snapshot().entries()), ["a", "b"], "an older state is not taken");
    fixture.store.create_entry(workload("c")).await.unwrap();
    fixture.poll().await;
    assert_eq!(names(fixture.index.snapshot().entries()), ["a", "c"], "both are at revision 2 now");
}

/// Not a test of time: prints what a million entries cost. Run with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "takes a minute and a gigabyte"]
async fn a_million_entries_fit_in_memory() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let clock = Clock::system();
    let (memory, time) = (resident(), clock.monotonic());
    let mut snapshot = Snapshot::default();
    for n in 0..1_000_000_u64 {
        let name = format!("{n:08}-0000-4000-8000-{:012}", n * 7919 % 1_000_003);
        let (path, parent) =
            (format!("/ns/{}/sa/{n}", n % 500), format!("/spire/agent/k8s/node-{}", n % 10_000));
        let texts = [format!("k8s:ns:{}", n % 500), format!("k8s:sa:{n}")];
        snapshot.insert_entry(entry(&name, &path, &parent, &[&texts[0], &texts[1]]));
    }
    assert_eq!(snapshot.entry_count(), 1_000_000);
    println!("{} bytes an entry", (resident() - memory) * 1024 / 1_000_000);
    println!("{:?} for a million", clock.monotonic() - time);
}

#[tokio::test]
async fn an_index_whose_tasks_have_ended_says_so() {
    let fixture = Fixture::new(async |_| {}).await;
    fixture.create("a").await;
    assert!(fixture.tasks.stop(Duration::from_secs(1)).await);
    assert_eq!(fixture.index.reached(2).await.unwrap_err(), Stopped);
    assert_eq!(fixture.index.snapshot().entry_count(), 1);
    assert!(fixture.store.revision().await.is_ok());
}
