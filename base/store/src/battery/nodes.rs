//! Tests of the attested nodes of a store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use finial_identity::{EntryDraft, Node, SelectorSet};
use futures_util::future::join_all;

use super::samples::{draft, entry, entry_id, instant, node, selectors, spiffe_id, trust_domain};
use crate::{DataStore, Noun, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    every_field_of_a_node_is_kept(&*empty_store().await).await;
    attesting_again_replaces_the_node(&*empty_store().await).await;
    an_update_of_a_stale_node_conflicts(&*empty_store().await).await;
    of_many_equal_updates_one_is_made(&*empty_store().await).await;
    a_banned_node_stays_banned_until_deleted(&*empty_store().await).await;
    deleting_a_node_deletes_what_its_token_aliased(&*empty_store().await).await;
    deleting_a_node_that_may_return_keeps_its_aliases(&*empty_store().await).await;
    a_scan_goes_by_id_page_by_page(&*empty_store().await).await;
}

async fn stored(store: &dyn DataStore, name: &str) -> Option<Node> {
    store.nodes(&[node(name).id]).await.unwrap().pop()
}

fn banned(name: &str) -> Node {
    Node { serial_number: String::new(), ..node(name) }
}

async fn every_field_of_a_node_is_kept(store: &dyn DataStore) {
    let full = Node {
        new_serial_number: Some("42".into()),
        new_expires_at: Some(instant() + Duration::from_secs(7)),
        selectors: selectors(&["x509pop:subject:cn:a, \"b\"", "x509pop:ca:1"]),
        can_reattest: true,
        agent_version: "1.2.3".into(),
        ..node("full")
    };
    store.create_or_replace_node(full.clone()).await.unwrap();
    store.create_or_replace_node(node("plain")).await.unwrap();
    assert_eq!(stored(store, "full").await, Some(full.clone()));
    assert_eq!(stored(store, "neither").await, None);
    assert_eq!(store.scan_nodes(None, 10).await.unwrap(), [full, node("plain")]);
}

async fn attesting_again_replaces_the_node(store: &dyn DataStore) {
    store.create_or_replace_node(Node { new_serial_number: Some("2".into()), ..node("a") }).await.unwrap();
    store.create_or_replace_node(Node { serial_number: "3".into(), ..node("a") }).await.unwrap();
    assert_eq!(stored(store, "a").await, Some(Node { serial_number: "3".into(), ..node("a") }));
}

async fn an_update_of_a_stale_node_conflicts(store: &dyn DataStore) {
    store.create_or_replace_node(node("a")).await.unwrap();
    let renewed = Node { new_serial_number: Some("2".into()), ..node("a") };
    store.update_node(&node("a"), renewed.clone()).await.unwrap();
    let reported = Node { agent_version: "1.0".into(), ..node("a") };
    let error = store.update_node(&node("a"), reported).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { noun: Noun::Node, .. }), "{error:?}");
    assert_eq!(stored(store, "a").await, Some(renewed), "the renewal was not undone");
    let error = store.update_node(&node("b"), node("b")).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: Noun::Node, .. }), "{error:?}");
}

async fn of_many_equal_updates_one_is_made(store: &dyn DataStore) {
    store.create_or_replace_node(node("a")).await.unwrap();
    let seen = node("a");
    let updates =
        (1..=32).map(|n| store.update_node(&seen, Node { agent_version: format!("1.{n}"), ..node("a") }));
    assert_eq!(join_all(updates).await.into_iter().filter(Result::is_ok).count(), 1);
}

async fn a_banned_node_stays_banned_until_deleted(store: &dyn DataStore) {
    store.create_or_replace_node(node("a")).await.unwrap();
    store.update_node(&node("a"), banned("a")).await.unwrap();
    let update = store.update_node(&banned("a"), node("a")).await.unwrap_err();
    let attestation = store.create_or_replace_node(node("a")).await.unwrap_err();
    assert!(matches!(update, StoreError::Banned { .. }), "{update:?}");
    assert!(matches!(attestation, StoreError::Banned { .. }), "{attestation:?}");
    assert!(stored(store, "a").await.unwrap().is_banned());
    assert!(store.delete_node(&node("a").id).await.unwrap().node.is_banned());
    store.create_or_replace_node(node("a")).await.expect("once deleted, it may come back");
}

/// Aliases that can match the node called `a` only, and an entry that looks like them.
async fn create_aliases(store: &dyn DataStore) {
    let of_a: SelectorSet = selectors(&["spiffe_id:spiffe://example.org/spire/agent/a"]);
    let alias =
        |parent, selectors: &SelectorSet| EntryDraft::new(spiffe_id("/alias"), parent, selectors.clone());
    let server = trust_domain().server_id();
    let both = selectors(&["spiffe_id:spiffe://example.org/spire/agent/a", "x:y"]);
    let of_ab = selectors(&["spiffe_id:spiffe://example.org/spire/agent/ab"]);
    store.create_entry(entry("by-server", alias(server.clone(), &of_a))).await.unwrap();
    store.create_entry(entry("by-agent", alias(node("a").id, &of_a))).await.unwrap();
    store.create_entry(entry("more-selectors", alias(server.clone(), &both))).await.unwrap();
    store.create_entry(entry("other-agent", alias(server, &of_ab))).await.unwrap();
    store.create_entry(entry("workload", draft("/workload"))).await.unwrap();
}

async fn deleting_a_node_deletes_what_its_token_aliased(store: &dyn DataStore) {
    store.create_or_replace_node(node("a")).await.unwrap();
    create_aliases(store).await;
    let mut deleted = store.delete_node(&node("a").id).await.unwrap();
    deleted.aliases.sort();
    assert_eq!(deleted.node, node("a"));
    assert_eq!(deleted.aliases, [entry_id("by-agent"), entry_id("by-server")]);
    assert_eq!(deleted.revision, store.revision().await.unwrap());
    let left: Vec<_> =
        store.scan_entries(None, 10).await.unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(left, [entry_id("more-selectors"), entry_id("other-agent"), entry_id("workload")]);
    assert_eq!(stored(store, "a").await, None);
    let error = store.delete_node(&node("a").id).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: Noun::Node, .. }), "{error:?}");
}

async fn deleting_a_node_that_may_return_keeps_its_aliases(store: &dyn DataStore) {
    let returning = Node { attestation_type: "x509pop".into(), can_reattest: true, ..node("a") };
    store.create_or_replace_node(returning).await.unwrap();
    create_aliases(store).await;
    assert!(store.delete_node(&node("a").id).await.unwrap().aliases.is_empty());
    assert_eq!(store.scan_entries(None, 10).await.unwrap().len(), 5);
}

async fn a_scan_goes_by_id_page_by_page(store: &dyn DataStore) {
    for name in ["c", "a", "b"] {
        store.create_or_replace_node(node(name)).await.unwrap();
    }
    let first = store.scan_nodes(None, 2).await.unwrap();
    assert_eq!(first, [node("a"), node("b")]);
    assert_eq!(store.scan_nodes(Some(&first[1].id), 2).await.unwrap(), [node("c")]);
}
