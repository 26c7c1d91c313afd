//! Tests of the bundles of a store.

use std::future::Future;
use std::sync::Arc;

use finial_identity::{Bundle, TrustDomain};
use futures_util::future::join_all;

use super::samples::{bundle, entry, full_entry, jwt_authority};
use crate::{DataStore, Noun, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    every_field_of_a_bundle_is_kept(&*empty_store().await).await;
    the_sequence_counts_contents(&*empty_store().await).await;
    replacing_needs_the_stored_sequence(&*empty_store().await).await;
    of_many_owners_one_replaces(&*empty_store().await).await;
    a_bundle_that_entries_federate_with_stays(&*empty_store().await).await;
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
    let error = store.delete_bundle(&a).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: Noun::Bundle, .. }), "{error:?}");
    store.put_bundle(bundle("a.test")).await.unwrap();
    store.put_bundle(bundle("b.test")).await.unwrap();
    let federating = full_entry("full");
    store.create_entry(federating.clone()).await.unwrap();
    let error = store.delete_bundle(&a).await.unwrap_err();
    assert!(matches!(error, StoreError::Federated { entries: 1, .. }), "{error:?}");
    let mut draft = federating.into_draft();
    draft.federates_with.clear();
    store.update_entry(entry("full", draft)).await.unwrap();
    store.delete_bundle(&a).await.unwrap();
    assert_eq!(stored(store, "a.test").await, None);
}
