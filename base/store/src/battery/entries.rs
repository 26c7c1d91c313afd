//! Tests of the entries of a store.

use std::future::Future;
use std::sync::Arc;

use finial_identity::{Entry, TrustDomain};
use futures_util::future::join_all;

use super::samples::{bundle, draft, entry, entry_id, full_entry, selectors, spiffe_id};
use crate::{DataStore, Noun, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    every_field_of_an_entry_is_kept(&*empty_store().await).await;
    a_taken_id_is_a_duplicate(&*empty_store().await).await;
    the_same_id_parent_and_selectors_are_a_duplicate(&*empty_store().await).await;
    of_many_equal_entries_one_is_created(&*empty_store().await).await;
    federating_needs_a_bundle(&*empty_store().await).await;
    of_many_entries_each_has_its_own_outcome(&*empty_store().await).await;
    an_update_counts_up_and_keeps_the_creation(&*empty_store().await).await;
    an_update_of_a_stale_entry_conflicts(&*empty_store().await).await;
    of_many_equal_updates_one_is_made(&*empty_store().await).await;
    an_update_may_not_make_a_duplicate(&*empty_store().await).await;
    a_deleted_entry_is_gone_and_may_come_back(&*empty_store().await).await;
    a_scan_goes_by_id_page_by_page(&*empty_store().await).await;
    a_refused_write_takes_no_revision(&*empty_store().await).await;
}

async fn stored(store: &dyn DataStore, id: &str) -> Option<Entry> {
    store.entries(&[entry_id(id)]).await.unwrap().pop()
}

async fn every_field_of_an_entry_is_kept(store: &dyn DataStore) {
    store.put_bundle(bundle("a.test")).await.unwrap();
    store.put_bundle(bundle("b.test")).await.unwrap();
    let full = full_entry("full");
    let plain = entry("plain", draft("/plain"));
    store.create_entry(full.clone()).await.unwrap();
    store.create_entry(plain.clone()).await.unwrap();
    assert_eq!(stored(store, "full").await, Some(full.clone()));
    assert_eq!(stored(store, "plain").await, Some(plain.clone()));
    assert_eq!(stored(store, "neither").await, None);
    assert_eq!(store.scan_entries(None, 10).await.unwrap(), [full, plain]);
}

async fn a_taken_id_is_a_duplicate(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.create_entry(entry("b", draft("/b"))).await.unwrap();
    let error = store.create_entry(entry("b", draft("/a"))).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Duplicate { noun: Noun::Entry, existing } if existing == "b"),
        "the id counts first: {error:?}"
    );
}

async fn the_same_id_parent_and_selectors_are_a_duplicate(store: &dyn DataStore) {
    store.create_entry(entry("first", draft("/a"))).await.unwrap();
    let mut second = draft("/a");
    second.hint = "what else it says does not matter".into();
    second.selectors = selectors(&["unix:gid:2", "unix:uid:1"]);
    let error = store.create_entry(entry("second", second)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate { existing, .. } if existing == "first"), "{error:?}");

    let (mut parent, mut fewer, mut more) = (draft("/a"), draft("/a"), draft("/a"));
    parent.parent_id = spiffe_id("/spire/agent/y");
    fewer.selectors = selectors(&["unix:uid:1"]);
    more.selectors = selectors(&["unix:uid:1", "unix:gid:2", "unix:gid:3"]);
    for (id, draft) in [("parent", parent), ("fewer", fewer), ("more", more), ("other", draft("/b"))] {
        store
            .create_entry(entry(id, draft))
            .await
            .expect("another SPIFFE ID, parent or set is another entry");
    }
}

async fn of_many_equal_entries_one_is_created(store: &dyn DataStore) {
    let creations = (0..32).map(|n| store.create_entry(entry(&format!("racer-{n}"), draft("/a"))));
    let outcomes = join_all(creations).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = store.scan_entries(None, 10).await.unwrap();
    assert_eq!(winner.len(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        let existing = winner[0].id.as_str();
        assert!(
            matches!(&error, StoreError::Duplicate { existing: named, .. } if named == existing),
            "{error:?}"
        );
    }
}

async fn of_many_entries_each_has_its_own_outcome(store: &dyn DataStore) {
    store.put_bundle(bundle("a.test")).await.unwrap();
    store.create_entry(entry("old", draft("/old"))).await.unwrap();
    let before = store.revision().await.unwrap();
    let mut stranger = draft("/stranger");
    stranger.federates_with = vec![TrustDomain::parse("b.test").unwrap()];
    let mut friend = draft("/friend");
    friend.federates_with = vec![TrustDomain::parse("a.test").unwrap()];
    let mut entries = vec![
        entry("new", draft("/new")),
        entry("like-old", draft("/old")),
        entry("like-new", draft("/new")),
        entry("stranger", stranger),
        entry("new", draft("/same-id")),
        entry("friend", friend),
    ];
    // More than one statement takes.
    entries.extend((0..2500).map(|n| entry(&format!("{n}"), draft(&format!("/{n}")))));
    let outcomes = store.create_entries(entries).await.unwrap();
    let existing = |n: usize| match &outcomes[n] {
        Err(StoreError::Duplicate { existing, .. }) => existing.as_str(),
        other => panic!("{n}: {other:?}"),
    };
    assert_eq!([existing(1), existing(2), existing(4)], ["old", "new", "new"]);
    let unknown = |outcome: &Result<_, _>| matches!(outcome, Err(StoreError::NoBundle { trust_domain }) if trust_domain == "b.test");
    assert!(unknown(&outcomes[3]), "{:?}", outcomes[3]);
    let revisions: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(revisions, (before + 1..=before + 2502).collect::<Vec<_>>());
    let changes = store.changes_after(before, 3000).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| change.key.as_str()).take(4).collect();
    assert_eq!((changes.len(), &told[..]), (2502, &["new", "friend", "0", "1"][..]));
    assert_eq!(store.scan_entries(None, 5000).await.unwrap().len(), 2503);
    assert!(store.create_entries(Vec::new()).await.unwrap().is_empty());
    assert_eq!(store.revision().await.unwrap(), before + 2502);
}

async fn federating_needs_a_bundle(store: &dyn DataStore) {
    store.put_bundle(bundle("a.test")).await.unwrap();
    let error = store.create_entry(full_entry("full")).await.unwrap_err();
    assert!(matches!(&error, StoreError::NoBundle { trust_domain } if trust_domain == "b.test"), "{error:?}");
    store.put_bundle(bundle("b.test")).await.unwrap();
    store.create_entry(full_entry("full")).await.unwrap();

    let mut changed = full_entry("full").into_draft();
    changed.federates_with.push(TrustDomain::parse("c.test").unwrap());
    let error = store.update_entry(entry("full", changed)).await.unwrap_err();
    assert!(matches!(&error, StoreError::NoBundle { trust_domain } if trust_domain == "c.test"), "{error:?}");
}

async fn an_update_counts_up_and_keeps_the_creation(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    let mut changed = draft("/b");
    changed.selectors = selectors(&["unix:uid:7"]);
    let mut update = entry("a", changed.clone());
    update.created_at = std::time::SystemTime::UNIX_EPOCH;
    store.update_entry(update).await.unwrap();
    let mut expected = entry("a", changed);
    expected.revision_number = 1;
    assert_eq!(stored(store, "a").await, Some(expected));
}

async fn an_update_of_a_stale_entry_conflicts(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.update_entry(entry("a", draft("/b"))).await.unwrap();
    let error = store.update_entry(entry("a", draft("/c"))).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { noun: Noun::Entry, key } if key == "a"), "{error:?}");
    let error = store.update_entry(entry("missing", draft("/c"))).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::NotFound { noun: Noun::Entry, key } if key == "missing"),
        "{error:?}"
    );
}

async fn of_many_equal_updates_one_is_made(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    let updates = (0..32).map(|n| store.update_entry(entry("a", draft(&format!("/{n}")))));
    let made = join_all(updates).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((made, stored(store, "a").await.unwrap().revision_number), (1, 1));
}

async fn an_update_may_not_make_a_duplicate(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.create_entry(entry("b", draft("/b"))).await.unwrap();
    let error = store.update_entry(entry("b", draft("/a"))).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate { existing, .. } if existing == "a"), "{error:?}");
    let mut same = draft("/b");
    same.hint = "new".into();
    store.update_entry(entry("b", same)).await.expect("an entry is no duplicate of itself");
}

async fn a_deleted_entry_is_gone_and_may_come_back(store: &dyn DataStore) {
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.delete_entry(&entry_id("a")).await.unwrap();
    assert_eq!(stored(store, "a").await, None);
    let error = store.delete_entry(&entry_id("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: Noun::Entry, .. }), "{error:?}");
    store.create_entry(entry("a", draft("/a"))).await.unwrap();
}

async fn a_scan_goes_by_id_page_by_page(store: &dyn DataStore) {
    for n in [3, 1, 4, 0, 2] {
        store.create_entry(entry(&format!("entry-{n}"), draft(&format!("/{n}")))).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let page = store.scan_entries(seen.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|entry| entry.id));
    }
    assert_eq!(seen, (0..5).map(|n| entry_id(&format!("entry-{n}"))).collect::<Vec<_>>());
}

async fn a_refused_write_takes_no_revision(store: &dyn DataStore) {
    let created = store.create_entry(entry("a", draft("/a"))).await.unwrap();
    store.create_entry(entry("a", draft("/a"))).await.unwrap_err();
    store.update_entry(entry("missing", draft("/b"))).await.unwrap_err();
    store.delete_entry(&entry_id("missing")).await.unwrap_err();
    assert_eq!(store.revision().await.unwrap(), created);
    assert_eq!(store.create_entry(entry("b", draft("/b"))).await.unwrap(), created + 1);
}
