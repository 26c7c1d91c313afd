//! Tests of the bundles of a store.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use finial_identity::{Bundle, Entry, TrustDomain};
use futures_util::future::join_all;

use super::samples::{bundle, draft, entry, full_entry, jwt_authority, trust_domain};
use crate::{ChangeKind, DataStore, Federating, Noun, Revision, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    every_field_of_a_bundle_is_kept(&*empty_store().await).await;
    the_sequence_counts_contents(&*empty_store().await).await;
    replacing_needs_the_stored_sequence(&*empty_store().await).await;
    of_many_owners_one_replaces(&*empty_store().await).await;
    a_bundle_that_entries_federate_with_stays(&*empty_store().await).await;
    a_bundle_that_is_not_there_cannot_be_deleted(&*empty_store().await).await;
    deleting_a_bundle_can_delete_the_entries_that_federate_with_it(&*empty_store().await).await;
    deleting_a_bundle_can_dissociate_the_entries_that_federate_with_it(&*empty_store().await).await;
}

async fn stored(store: &dyn DataStore, name: &str) -> Option<Bundle> {
    store.bundle(&TrustDomain::parse(name).unwrap()).await.unwrap()
}

async fn every_field_of_a_bundle_is_kept(store: &dyn DataStore) {
    let (full, empty) = (bundle("b.test"), Bundle::empty(TrustDomain::parse("a.test").unwrap()));
    store.put_bundle(full.clone()).await.unwrap();
    store.put_bundle(empty.clone()).await.unwrap();
    let (full, empty) = (Bundle { sequence_number: 1, ..full }, Bundle { sequence_number: 1, ..empty });
    assert_eq!(stored(store, "b.test").await, Some(full.clone()));
    assert_eq!(stored(store, "c.test").await, None);
    assert_eq!(store.bundles().await.unwrap(), [empty, full]);
}

async fn the_sequence_counts_contents(store: &dyn DataStore) {
    let mut bundle = bundle("a.test");
    let first = store.put_bundle(bundle.clone()).await.unwrap();
    let again = store.put_bundle(Bundle { sequence_number: 77, ..bundle.clone() }).await.unwrap();
    assert_eq!((first.sequence_number, again), (1, first), "the same content changes nothing");
    bundle.jwt_authorities.push(jwt_authority("three", None));
    let changed = store.put_bundle(bundle.clone()).await.unwrap();
    assert_eq!((changed.sequence_number, changed.revision), (2, first.revision + 1));
    assert_eq!(stored(store, "a.test").await, Some(Bundle { sequence_number: 2, ..bundle }));
}

async fn replacing_needs_the_stored_sequence(store: &dyn DataStore) {
    let mut bundle = bundle("a.test");
    bundle.sequence_number = 1;
    let error = store.replace_bundle(bundle.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { noun: Noun::Bundle, .. }), "there is none yet: {error:?}");
    bundle.sequence_number = 0;
    bundle.sequence_number = store.replace_bundle(bundle.clone()).await.unwrap().sequence_number;
    bundle.refresh_hint = None;
    assert_eq!(store.replace_bundle(bundle.clone()).await.unwrap().sequence_number, 2);
    let error = store.replace_bundle(bundle).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "it is at 2 by now: {error:?}");
}

async fn of_many_owners_one_replaces(store: &dyn DataStore) {
    let replacements = (0..32).map(|n| {
        let mut bundle = bundle("a.test");
        bundle.jwt_authorities.push(jwt_authority(&format!("owner-{n}"), None));
        store.replace_bundle(bundle)
    });
    assert_eq!(join_all(replacements).await.into_iter().filter(Result::is_ok).count(), 1);
}

async fn a_bundle_that_entries_federate_with_stays(store: &dyn DataStore) {
    let a = TrustDomain::parse("a.test").unwrap();
    store.put_bundle(bundle("a.test")).await.unwrap();
    store.put_bundle(bundle("b.test")).await.unwrap();
    let federating = full_entry("full");
    store.create_entry(federating.clone()).await.unwrap();
    let error = store.delete_bundle(&a, Federating::Keep).await.unwrap_err();
    assert!(matches!(error, StoreError::Federated { entries: 1, .. }), "{error:?}");
    let mut draft = federating.into_draft();
    draft.federates_with.clear();
    store.update_entry(entry("full", draft)).await.unwrap();
    store.delete_bundle(&a, Federating::Keep).await.unwrap();
    assert_eq!(stored(store, "a.test").await, None);
}

async fn a_bundle_that_is_not_there_cannot_be_deleted(store: &dyn DataStore) {
    let a = TrustDomain::parse("a.test").unwrap();
    let before = store.revision().await.unwrap();
    for federating in [Federating::Keep, Federating::Delete, Federating::Dissociate] {
        let error = store.delete_bundle(&a, federating).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { noun: Noun::Bundle, .. }), "{error:?}");
    }
    assert_eq!(store.revision().await.unwrap(), before);
}

/// Bundles a and b; one entry that federates with both, one with b alone, one with nobody.
async fn with_federating_entries(store: &dyn DataStore) {
    store.put_bundle(bundle("a.test")).await.unwrap();
    store.put_bundle(bundle("b.test")).await.unwrap();
    store.create_entry(full_entry("both")).await.unwrap();
    for (id, federates_with) in [("b", vec![TrustDomain::parse("b.test").unwrap()]), ("nobody", vec![])] {
        let mut draft = draft(&format!("/{id}"));
        draft.federates_with = federates_with;
        store.create_entry(entry(id, draft)).await.unwrap();
    }
}

/// What the log says of the changes after this revision.
async fn logged(store: &dyn DataStore, after: Revision) -> BTreeSet<(ChangeKind, String)> {
    let changes = store.changes_after(after, 100).await.unwrap();
    changes.into_iter().map(|change| (change.kind, change.key)).collect()
}

async fn deleting_a_bundle_can_delete_the_entries_that_federate_with_it(store: &dyn DataStore) {
    with_federating_entries(store).await;
    let before = store.revision().await.unwrap();
    let a = TrustDomain::parse("a.test").unwrap();
    let revision = store.delete_bundle(&a, Federating::Delete).await.unwrap();
    let left: Vec<_> = store.scan_entries(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["b", "nobody"]);
    assert_eq!(stored(store, "a.test").await, None);
    assert_eq!(revision, store.revision().await.unwrap(), "after it, all of it is done");
    let expected = [(ChangeKind::Bundle, "a.test".to_owned()), (ChangeKind::Entry, "both".to_owned())];
    assert_eq!(logged(store, before).await, BTreeSet::from(expected));
}

async fn deleting_a_bundle_can_dissociate_the_entries_that_federate_with_it(store: &dyn DataStore) {
    with_federating_entries(store).await;
    let entries = || async { store.scan_entries(None, 10).await.unwrap() };
    let mut expected = entries().await;
    let before = store.revision().await.unwrap();
    let b = TrustDomain::parse("b.test").unwrap();
    let revision = store.delete_bundle(&b, Federating::Dissociate).await.unwrap();
    for entry in &mut expected {
        if entry.federates_with.contains(&b) {
            let (revision_number, created_at) = (entry.revision_number + 1, entry.created_at);
            let mut draft = entry.clone().into_draft();
            draft.federates_with.retain(|name| *name != b);
            *entry = Entry::new(draft, entry.id.clone(), &trust_domain(), created_at).unwrap();
            entry.revision_number = revision_number;
        }
    }
    assert_eq!(entries().await, expected);
    assert_eq!(stored(store, "b.test").await, None);
    assert_eq!(revision, store.revision().await.unwrap(), "after it, all of it is done");
    let expected = [
        (ChangeKind::Bundle, "b.test".to_owned()),
        (ChangeKind::Entry, "both".to_owned()),
        (ChangeKind::Entry, "b".to_owned()),
    ];
    assert_eq!(logged(store, before).await, BTreeSet::from(expected));
}
