//! Tests of whom a change concerns.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_daemon::{Clock, Tasks};
use finial_identity::{Bundle, EntryId, Node, SpiffeId};
use finial_store::{Bundles, Entries, Index, Nodes, Snapshot, SqliteStore};

use super::*;
use crate::testing::*;

/// A store whose index is followed change by change.
struct Case {
    store: Arc<SqliteStore>,
    index: Index,
    before: Arc<Snapshot>,
    _tasks: Tasks,
}

impl Case {
    async fn new() -> Self {
        let store = Arc::new(SqliteStore::in_memory().await.unwrap());
        let (clock, _) = Clock::manual(now());
        let tasks = Tasks::new(clock.clone());
        let index = Index::start(Arc::clone(&store) as _, &clock, &tasks).await.unwrap();
        let before = index.snapshot();
        Self { store, index, before, _tasks: tasks }
    }

    /// With nodes a, b and c, of which b and c have the selector `x:y`.
    async fn with_nodes() -> Self {
        let mut case = Self::new().await;
        for (name, found) in [("a", &[][..]), ("b", &["x:y"]), ("c", &["x:y", "x:z"])] {
            let with = Node { selectors: selectors(found), ..node(&agent(name), "1") };
            case.store.create_or_replace_node(with).await.unwrap();
        }
        case.settle().await;
        case
    }

    async fn add(&self, name: &str, spiffe_id: &str, parent: &SpiffeId, texts: &[&str]) {
        self.store.create_entry(entry(name, draft(spiffe_id, parent, texts))).await.unwrap();
    }

    async fn delete(&self, name: &str) {
        self.store.delete_entry(&EntryId::new(name).unwrap()).await.unwrap();
    }

    /// What came since the last look concerned nobody that is asked for.
    async fn settle(&mut self) {
        self.concern().await;
    }

    async fn concern(&mut self) -> Concern {
        use finial_store::Changes as _;
        let later = self.index.reached(self.store.revision().await.unwrap()).await.unwrap();
        let concern = Concern::between(&self.before, &later);
        self.before = later;
        concern
    }

    /// Which of the nodes a, b and c what came since the last look concerns.
    async fn concerned(&mut self) -> Vec<&'static str> {
        let concern = self.concern().await;
        let is_concerned = |name: &&str| match &concern {
            Concern::Everyone => true,
            Concern::Agents(concerned) => {
                let id = agent(name);
                concerned.ids().any(|each| *each == id)
                    || self.before.node(&id).is_some_and(|node| concerned.has_alias(node))
            }
        };
        ["a", "b", "c"].into_iter().filter(is_concerned).collect()
    }
}

#[tokio::test]
async fn entry_concerns_the_agent_it_hangs_below_at_any_depth() {
    let mut case = Case::with_nodes().await;
    case.add("1", "/one", &agent("a"), &["unix:uid:1"]).await;
    assert_eq!(case.concerned().await, ["a"]);
    case.add("2", "/two", &id("/one"), &["unix:uid:1"]).await;
    assert_eq!(case.concerned().await, ["a"]);
    case.add("3", "/three", &id("/nowhere"), &["unix:uid:1"]).await;
    assert!(case.concerned().await.is_empty());
}

#[tokio::test]
async fn deleted_entry_concerns_whoever_had_it() {
    let mut case = Case::with_nodes().await;
    case.add("1", "/one", &agent("a"), &["unix:uid:1"]).await;
    case.add("2", "/two", &id("/one"), &["unix:uid:1"]).await;
    case.settle().await;
    case.delete("1").await;
    case.delete("2").await;
    assert_eq!(case.concerned().await, ["a"]);
}

#[tokio::test]
async fn moved_entry_concerns_both_agents() {
    let mut case = Case::with_nodes().await;
    case.add("1", "/one", &agent("a"), &["unix:uid:1"]).await;
    case.settle().await;
    case.store.update_entry(entry("1", draft("/one", &agent("b"), &["unix:uid:1"]))).await.unwrap();
    assert_eq!(case.concerned().await, ["a", "b"]);
}

#[tokio::test]
async fn node_alias_and_what_hangs_below_it_concern_the_nodes_with_its_selectors() {
    let mut case = Case::with_nodes().await;
    let server = trust_domain().server_id();
    case.add("alias", "/cluster", &server, &["x:y"]).await;
    assert_eq!(case.concerned().await, ["b", "c"]);
    case.add("narrow", "/corner", &server, &["x:y", "x:z"]).await;
    assert_eq!(case.concerned().await, ["c"]);
    case.add("below", "/below", &id("/cluster"), &["unix:uid:1"]).await;
    assert_eq!(case.concerned().await, ["b", "c"]);
    case.delete("alias").await;
    assert_eq!(case.concerned().await, ["b", "c"]);
}

#[tokio::test]
async fn alias_by_spiffe_id_concerns_that_agent_alone() {
    let mut case = Case::with_nodes().await;
    let selector = format!("spiffe_id:{}", agent("b"));
    case.add("alias", "/node", &trust_domain().server_id(), &[&selector]).await;
    assert_eq!(case.concerned().await, ["b"]);
    case.add("below", "/below", &id("/node"), &["unix:uid:1"]).await;
    assert_eq!(case.concerned().await, ["b"]);
}

#[tokio::test]
async fn node_concerns_itself_when_its_selectors_change_or_it_is_banned_or_goes() {
    let mut case = Case::with_nodes().await;
    let renewed = node(&agent("a"), "2");
    case.store.create_or_replace_node(renewed.clone()).await.unwrap();
    assert!(case.concerned().await.is_empty(), "a renewal changes nothing of what it may serve");
    let other = Node { selectors: selectors(&["x:y"]), ..renewed };
    case.store.create_or_replace_node(other.clone()).await.unwrap();
    assert_eq!(case.concerned().await, ["a"]);
    case.store.create_or_replace_node(Node { serial_number: String::new(), ..other }).await.unwrap();
    assert_eq!(case.concerned().await, ["a"]);
    case.store.delete_node(&agent("a")).await.unwrap();
    assert_eq!(case.concerned().await, ["a"]);
}

#[tokio::test]
async fn bundle_concerns_everyone() {
    let mut case = Case::with_nodes().await;
    case.store.put_bundle(Bundle::empty(trust_domain())).await.unwrap();
    assert!(matches!(case.concern().await, Concern::Everyone));
}

#[tokio::test]
async fn more_changes_than_are_kept_concern_everyone() {
    let mut case = Case::with_nodes().await;
    let old = Arc::clone(&case.before);
    for _ in 0..1_100 {
        case.store.create_or_replace_node(node(&agent("a"), "1")).await.unwrap();
    }
    case.settle().await;
    assert!(matches!(Concern::between(&old, &case.before), Concern::Everyone));
}

#[tokio::test]
async fn another_reading_of_the_store_concerns_everyone() {
    let mut case = Case::with_nodes().await;
    let (clock, _) = Clock::manual(now());
    let again = Index::start(Arc::clone(&case.store) as _, &clock, &Tasks::new(clock.clone())).await.unwrap();
    case.settle().await;
    assert!(matches!(Concern::between(&case.before, &again.snapshot()), Concern::Everyone));
}
