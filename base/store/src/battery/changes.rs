//! Tests of the change log of a store.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use finial_identity::Bundle;
use futures_util::future::join_all;

use super::samples::{bundle, draft, entry, entry_id, node};
use crate::{Change, ChangeKind, DataStore, Revision, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    each_change_takes_the_next_revision(&*empty_store().await).await;
    revisions_have_no_gaps_under_32_writers(empty_store().await).await;
    a_reader_sees_each_revision_with_what_it_changed(empty_store().await).await;
    a_pruned_log_says_so(&*empty_store().await).await;
    subscribers_are_told(&*empty_store().await).await;
}

async fn each_change_takes_the_next_revision(store: &dyn DataStore) {
    assert_eq!(store.revision().await.unwrap(), 0);
    assert!(store.changes_after(0, 10).await.unwrap().is_empty());
    let id = entry_id("a");
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.update_entry(entry("a", draft("/b"))).await.unwrap();
    store.create_or_replace_node(node("a")).await.unwrap();
    store.put_bundle(bundle("a.test")).await.unwrap();
    assert_eq!(store.delete_entry(&id).await.unwrap(), 5);
    let expected: Vec<_> = [
        (ChangeKind::Entry, "a"),
        (ChangeKind::Entry, "a"),
        (ChangeKind::Node, "spiffe://example.org/spire/agent/a"),
        (ChangeKind::Bundle, "a.test"),
        (ChangeKind::Entry, "a"),
    ]
    .into_iter()
    .zip(1..)
    .map(|((kind, key), revision)| Change { revision, kind, key: key.to_owned() })
    .collect();
    assert_eq!(store.changes_after(0, 10).await.unwrap(), expected);
    assert_eq!(store.changes_after(1, 2).await.unwrap(), expected[1..3]);
    assert!(store.changes_after(5, 10).await.unwrap().is_empty());
    let error = store.changes_after(6, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Behind { after: 6, newest: 5 }), "{error:?}");
}

async fn revisions_have_no_gaps_under_32_writers(store: Arc<dyn DataStore>) {
    let writers = (0..32).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            let mut taken: Vec<Revision> = Vec::new();
            for n in 0..8 {
                let (id, path) = (format!("{writer}-{n}"), format!("/{writer}/{n}"));
                taken.push(store.create_entry(entry(&id, draft(&path))).await.unwrap());
                store.create_entry(entry(&id, draft(&path))).await.unwrap_err();
            }
            assert!(taken.is_sorted(), "who writes later takes a later revision");
            taken
        }
    });
    let taken: HashSet<Revision> = join_all(writers).await.into_iter().flatten().collect();
    assert_eq!(taken, (1..=256).collect());
    let logged = store.changes_after(0, 1000).await.unwrap();
    assert!(logged.iter().map(|change| change.revision).eq(1..=256));
}

/// The order of revisions is the order of commits: whoever reads on from the revision it holds misses nothing.
async fn a_reader_sees_each_revision_with_what_it_changed(store: Arc<dyn DataStore>) {
    let writers = join_all((0..32).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            for n in 0..4 {
                let (id, path) = (format!("{writer}-{n}"), format!("/{writer}/{n}"));
                store.create_entry(entry(&id, draft(&path))).await.unwrap();
            }
        }
    }));
    let reader = async {
        let mut seen = HashSet::new();
        while seen.len() < 128 {
            for change in store.changes_after(seen.len() as Revision, 10).await.unwrap() {
                assert_eq!(change.revision, seen.len() as Revision + 1);
                let id = entry_id(&change.key);
                assert_eq!(store.entries(&[id]).await.unwrap().len(), 1, "the change is there");
                assert!(seen.insert(change.key), "each entry was created once");
            }
        }
    };
    futures_util::future::join(writers, reader).await;
}

async fn a_pruned_log_says_so(store: &dyn DataStore) {
    for n in 0..10 {
        store.create_entry(entry(&format!("{n}"), draft(&format!("/{n}")))).await.unwrap();
    }
    assert_eq!(store.prune_changes(4).await.unwrap(), 6);
    assert_eq!(store.prune_changes(4).await.unwrap(), 0);
    let error = store.changes_after(5, 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Pruned { after: 5 }), "{error:?}");
    assert!(store.changes_after(6, 100).await.unwrap().iter().map(|change| change.revision).eq(7..=10));
    assert_eq!(store.prune_changes(0).await.unwrap(), 4);
    let error = store.changes_after(9, 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Pruned { after: 9 }), "an empty log too: {error:?}");
    assert!(store.changes_after(10, 100).await.unwrap().is_empty());
    assert_eq!(store.revision().await.unwrap(), 10, "pruning is no change");
}

async fn subscribers_are_told(store: &dyn DataStore) {
    let mut revisions = store.subscribe();
    let stored = store.put_bundle(bundle("a.test")).await.unwrap();
    let told = *revisions.wait_for(|told| *told >= stored.revision).await.unwrap();
    assert_eq!(told, stored.revision);
    let unchanged = store.bundles().await.unwrap().remove(0);
    store.put_bundle(Bundle { sequence_number: 0, ..unchanged }).await.unwrap();
    assert!(!revisions.has_changed().unwrap(), "what changes nothing wakes nobody");
}
