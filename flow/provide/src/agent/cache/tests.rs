//! The cache against a server made of memory, on a clock that the tests move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::{Bundle, Entry, KeyKind, TrustDomain};

use super::super::options::CacheOptions;
use super::super::snapshot::AgentSnapshot;
use super::super::testing::{Agent, Authority, LIFE, draft, entry, entry_id, spiffe_id};

const MINUTE: Duration = Duration::from_secs(60);
/// Reaches the next poll of a server that does not push, and the next attempt after a failure.
const POLL: Duration = Duration::from_secs(6);

fn web() -> finial_identity::Entry {
    entry("web", draft("web", &["test:web"]))
}

fn db() -> finial_identity::Entry {
    entry("db", draft("db", &["test:db"]))
}

#[tokio::test]
async fn first_sync_brings_entries_bundle_and_credentials() {
    let agent = Agent::start([web(), db()]);
    let snapshot = agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    assert!(snapshot.is_synced());
    assert_eq!(snapshot.entries().len(), 2);
    assert_eq!(**snapshot.bundle(), agent.server.bundle_now());
    let held = snapshot.credential(&entry_id("web")).unwrap();
    assert_eq!(*held.svid().id(), spiffe_id("/web"));
    assert_eq!(held.svid().public_key(), held.key().public_key());
}

#[tokio::test]
async fn each_entry_has_a_key_of_its_own() {
    let agent = Agent::start([web(), db()]);
    let snapshot = agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    let key = |id: &str| snapshot.credential(&entry_id(id)).unwrap().key().public_key().clone();
    assert_ne!(key("web"), key("db"));
}

#[tokio::test]
async fn pushed_entry_has_its_svid_within_a_fifth_of_a_second() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.credential_count() == 1).await;
    let before = agent.clock.monotonic();
    agent.server.put(db());
    agent.soon(|snapshot| snapshot.serial("db").is_some()).await;
    assert!(agent.clock.monotonic() - before < Duration::from_millis(200));
}

#[tokio::test]
async fn many_changes_at_once_are_one_sync() {
    let agent = Agent::start([]);
    agent.catch_up().await;
    let before = agent.server.calls().syncs;
    for number in 0..50 {
        agent.server.put(entry(&format!("e{number}"), draft("many", &[&format!("test:{number}")])));
    }
    agent.soon(|snapshot| snapshot.credential_count() == 51).await;
    assert!(agent.server.calls().syncs - before <= 2);
}

#[tokio::test]
async fn server_that_does_not_push_is_polled() {
    let agent = Agent::start_with([web()], |server| server.cannot_push());
    agent.soon(|snapshot| snapshot.credential_count() == 1).await;
    agent.server.put(db());
    agent.until(POLL, |snapshot| snapshot.serial("db").is_some()).await;
    assert!(!agent.cache.state().borrow().is_pushed);
}

#[tokio::test]
async fn deleted_entry_loses_its_credential_at_once() {
    let agent = Agent::start([web(), db()]);
    agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    agent.server.delete("db");
    let snapshot = agent.soon(|snapshot| snapshot.entries().len() == 1).await;
    assert_eq!(snapshot.serial("db"), None);
    assert!(snapshot.serial("web").is_some());
}

#[tokio::test]
async fn changed_entry_keeps_its_svid_until_the_new_one_is_there() {
    let agent = Agent::start([web()]);
    let old = agent.soon(|snapshot| snapshot.serial("web").is_some()).await.serial("web");
    let mut changed = draft("web", &["test:web"]);
    changed.hint = "public".to_owned();
    agent.server.put(entry("web", changed));
    let mut snapshots = agent.cache.subscribe();
    agent.soon(|snapshot| snapshot.serial("web") != old).await;
    let held = snapshots.borrow_and_update().credential(&entry_id("web")).cloned().unwrap();
    assert_eq!(held.hint(), "public");
}

#[tokio::test]
async fn entry_that_becomes_another_identity_never_serves_the_old_one() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.issue_at_most(0);
    agent.server.put(entry("web", draft("shop", &["test:web"])));
    let is_shop = |entry: &finial_identity::Entry| entry.spiffe_id == spiffe_id("/shop");
    let snapshot = agent.soon(|snapshot| is_shop(snapshot.entries().entry(&entry_id("web")).unwrap())).await;
    assert_eq!(snapshot.serial("web"), None);
    agent.server.issue_at_most(1);
    let snapshot = agent.until(POLL, |snapshot| snapshot.serial("web").is_some()).await;
    assert_eq!(*snapshot.credential(&entry_id("web")).unwrap().svid().id(), spiffe_id("/shop"));
}

#[tokio::test]
async fn svid_on_its_way_to_an_entry_that_became_another_identity_is_dropped() {
    let agent = Agent::start_with([web()], |server| server.deliver(false));
    while agent.server.calls().batches.is_empty() {
        agent.pass(Duration::ZERO);
        tokio::task::yield_now().await;
    }
    agent.server.issue_at_most(0);
    agent.server.put(entry("web", draft("shop", &["test:web"])));
    agent
        .soon(|snapshot| snapshot.entries().entry(&entry_id("web")).unwrap().spiffe_id == spiffe_id("/shop"))
        .await;
    agent.server.deliver(true);
    while agent.server.calls().batches.len() < 2 {
        assert_eq!(agent.cache.snapshot().serial("web"), None);
        agent.pass(POLL);
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.cache.snapshot().serial("web"), None);
}

#[tokio::test]
async fn svid_is_renewed_at_half_its_life() {
    let agent = Agent::start([web()]);
    let first = agent.soon(|snapshot| snapshot.serial("web").is_some()).await.serial("web");
    agent.hand.step(26 * MINUTE);
    agent.catch_up().await;
    assert_eq!(agent.cache.snapshot().serial("web"), first, "too early");
    agent.hand.step(8 * MINUTE);
    agent.soon(|snapshot| snapshot.serial("web") != first).await;
}

#[tokio::test]
async fn server_away_for_less_than_a_life_goes_unnoticed() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.go_away(true);
    agent.hand.step(59 * MINUTE);
    agent.cache.state().wait_for(|state| state.is_degraded()).await.unwrap();
    assert!(agent.cache.snapshot().serial("web").is_some());
}

#[tokio::test]
async fn svid_is_dropped_when_it_expires_and_returns_with_the_server() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.go_away(true);
    agent.hand.step(LIFE + MINUTE);
    agent.cache.subscribe().wait_for(|snapshot| snapshot.credential_count() == 0).await.unwrap();
    agent.server.go_away(false);
    agent.until(Duration::from_secs(600), |snapshot| snapshot.serial("web").is_some()).await;
    assert!(!agent.cache.state().borrow().is_degraded());
}

#[tokio::test]
async fn nudge_ends_the_backoff() {
    let agent = Agent::start_with([web()], |server| {
        server.cannot_push();
        server.go_away(true);
    });
    let mut state = agent.cache.state();
    state.wait_for(|state| state.is_degraded()).await.unwrap();
    agent.server.go_away(false);
    agent.cache.sync_now();
    state.wait_for(|state| state.last_sync.is_some()).await.unwrap();
}

#[tokio::test]
async fn svid_signed_by_a_tainted_authority_is_replaced_at_once() {
    let agent = Agent::start([web()]);
    let first = agent.soon(|snapshot| snapshot.serial("web").is_some()).await.serial("web");
    agent.server.use_authority(Authority::new("second"));
    agent.catch_up().await;
    assert_eq!(agent.cache.snapshot().serial("web"), first, "a new authority alone changes nothing");
    agent.server.change_bundle(|bundle| {
        let tainted = bundle.x509_authorities.remove(0).tainted(true);
        bundle.x509_authorities.insert(0, tainted);
    });
    agent.soon(|snapshot| snapshot.serial("web") != first).await;
}

#[tokio::test]
async fn when_every_authority_is_tainted_svids_are_served_and_renewed_ever_more_rarely() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.change_bundle(|bundle| {
        let tainted = bundle.x509_authorities.remove(0).tainted(true);
        bundle.x509_authorities.push(tainted);
    });
    let before = agent.clock.monotonic();
    while agent.server.calls().batches.len() < 6 {
        assert!(agent.cache.snapshot().serial("web").is_some());
        agent.pass(POLL);
        tokio::task::yield_now().await;
    }
    // At once, then after 0.5 s, 1 s, 2 s and 4 s, each less a tenth at most.
    assert!(agent.clock.monotonic() - before > Duration::from_secs(6));
}

#[tokio::test]
async fn svid_signed_by_a_removed_authority_is_replaced_at_once() {
    let agent = Agent::start([web()]);
    let first = agent.soon(|snapshot| snapshot.serial("web").is_some()).await.serial("web");
    agent.server.use_authority(Authority::new("second"));
    agent.server.change_bundle(|bundle| drop(bundle.x509_authorities.remove(0)));
    agent.soon(|snapshot| snapshot.serial("web") != first).await;
}

#[tokio::test]
async fn svid_of_another_identity_is_refused() {
    let agent = Agent::start_with([web()], |server| server.issue_for(Some(spiffe_id("/admin"))));
    agent.soon(|snapshot| snapshot.is_synced()).await;
    while agent.server.calls().batches.len() < 2 {
        agent.pass(POLL);
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.cache.snapshot().credential_count(), 0);
    agent.server.issue_for(None);
    agent.until(POLL, |snapshot| snapshot.serial("web").is_some()).await;
}

#[tokio::test]
async fn older_bundle_does_not_replace_a_newer_one() {
    let agent = Agent::start([web()]);
    let old = agent.server.bundle_now();
    agent.server.use_authority(Authority::new("second"));
    agent.soon(|snapshot| snapshot.bundle().x509_authorities.len() == 2).await;
    agent.server.replace_bundle(old);
    agent.catch_up().await;
    assert_eq!(agent.cache.snapshot().bundle().x509_authorities.len(), 2);
}

#[tokio::test]
async fn federated_bundles_are_those_that_entries_name() {
    let other = TrustDomain::parse("other.test").unwrap();
    let third = TrustDomain::parse("third.test").unwrap();
    let mut federating = draft("web", &["test:web"]);
    federating.federates_with = vec![other.clone()];
    let agent = Agent::start_with([entry("web", federating)], |server| {
        server.federate(Bundle::empty(other.clone()));
        server.federate(Bundle::empty(third));
    });
    let snapshot = agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(snapshot.federated().keys().collect::<Vec<_>>(), [&other]);
    agent.server.put(web());
    agent.soon(|snapshot| snapshot.federated().is_empty()).await;
}

/// An entry that federates with these trust domains.
fn federating(names: &[TrustDomain]) -> Entry {
    let mut draft = draft("web", &["test:web"]);
    draft.federates_with = names.to_vec();
    entry("web", draft)
}

#[tokio::test]
async fn federated_bundle_that_fails_to_come_stays_as_it_was_and_the_others_follow() {
    let names = ["a.test", "b.test"].map(|name| TrustDomain::parse(name).unwrap());
    let agent = Agent::start_with([federating(&names)], |server| {
        names.iter().for_each(|name| server.federate(Bundle::empty(name.clone())));
    });
    let before = agent.soon(|snapshot| snapshot.federated().len() == 2).await;
    agent.server.withhold(&names[0]);
    names.iter().for_each(|name| {
        agent.server.federate(Bundle { sequence_number: 7, ..Bundle::empty(name.clone()) });
    });
    let after = agent.soon(|snapshot| snapshot.federated()[&names[1]].sequence_number == 7).await;
    assert!(std::sync::Arc::ptr_eq(&before.federated()[&names[0]], &after.federated()[&names[0]]));
}

#[tokio::test]
async fn rule_2_federated_bundle_never_replaces_ones_own() {
    let own = Agent::start([]).server.bundle_now().trust_domain;
    let other = TrustDomain::parse("other.test").unwrap();
    let agent = Agent::start_with([federating(&[own.clone(), other.clone()])], |server| {
        server.federate(Bundle::empty(own.clone()));
        server.federate(Bundle::empty(other.clone()));
    });
    let snapshot = agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(snapshot.federated().keys().collect::<Vec<_>>(), [&other]);
    assert_eq!(**snapshot.bundle(), agent.server.bundle_now());
}

#[tokio::test]
async fn federated_bundles_are_fetched_ten_at_a_time() {
    let names: Vec<_> = (0..37).map(|n| TrustDomain::parse(format!("d{n}.test")).unwrap()).collect();
    let agent = Agent::start_with([federating(&names)], |server| {
        names.iter().for_each(|name| server.federate(Bundle::empty(name.clone())));
    });
    agent.soon(|snapshot| snapshot.federated().len() == names.len()).await;
    assert_eq!(agent.server.calls().most_bundles, 10);
}

#[tokio::test]
async fn what_did_not_change_is_the_same_in_memory() {
    let agent = Agent::start([web()]);
    let before = agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.put(db());
    let after = agent.soon(|snapshot| snapshot.serial("db").is_some()).await;
    let web = entry_id("web");
    assert!(std::sync::Arc::ptr_eq(before.credential(&web).unwrap(), after.credential(&web).unwrap()));
    assert!(std::sync::Arc::ptr_eq(before.bundle(), after.bundle()));
}

#[tokio::test]
async fn entry_without_prefetch_is_issued_when_wanted() {
    let mut lazy = draft("lazy", &["test:lazy"]);
    lazy.x509_svid_prefetch_disabled = true;
    let agent = Agent::start([entry("lazy", lazy)]);
    agent.catch_up().await;
    assert_eq!(agent.cache.snapshot().serial("lazy"), None);
    let _reading = agent.cache.read([entry_id("lazy")]);
    agent.cache.miss();
    agent.soon(|snapshot| snapshot.serial("lazy").is_some()).await;
}

#[tokio::test]
async fn stored_svids_are_not_fetched() {
    let mut stored = draft("stored", &["test:stored"]);
    stored.store_svid = true;
    let agent = Agent::start([entry("stored", stored)]);
    agent.catch_up().await;
    assert_eq!(agent.cache.snapshot().serial("stored"), None);
}

#[tokio::test]
async fn batches_shrink_until_the_server_takes_them() {
    let entries = (0..1201).map(|number| entry(&format!("e{number}"), draft("many", &["test:many"])));
    let limit = |options: &mut CacheOptions| options.most_x509_svids = 2000;
    let agent = Agent::start_limited(entries, |server| server.issue_at_most(300), limit);
    agent.until(POLL, |snapshot| snapshot.credential_count() == 1201).await;
    let batches = agent.server.calls().batches;
    assert_eq!(batches[..2], [500, 250]);
    assert_eq!(batches.iter().filter(|size| **size <= 300).sum::<usize>(), 1201);
}

#[tokio::test]
async fn server_that_says_when_to_ask_again_is_asked_no_sooner() {
    let told = Duration::from_secs(6);
    let agent = Agent::start_with([web()], |server| server.be_busy(Some(told)));
    agent.soon(|_| agent.server.calls().batches.len() == 1).await;
    let refused = agent.clock.monotonic();
    agent.server.be_busy(None);
    // Neither its news nor a nudge say that it has time.
    agent.server.put(db());
    agent.cache.sync_now();
    agent.soon(|snapshot| snapshot.entries().len() == 2).await;
    agent.until(told * 3 / 2, |snapshot| snapshot.credential_count() == 2).await;
    assert!(agent.clock.monotonic() - refused >= told);
    assert_eq!(agent.server.calls().batches, [1, 2]);
}

#[tokio::test]
async fn beyond_its_size_the_cache_holds_what_is_read_and_drops_what_was_read_longest_ago() {
    let entries = ["a", "b", "c"].map(|id| entry(id, draft(id, &[&format!("test:{id}")])));
    let agent = Agent::start_limited(entries, |_| {}, |options| options.most_x509_svids = 2);
    agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    let c = agent.cache.read([entry_id("c")]);
    agent.cache.miss();
    let snapshot = agent.soon(|snapshot| snapshot.serial("c").is_some()).await;
    assert_eq!(snapshot.credential_count(), 2);
    let _all = agent.cache.read([entry_id("a"), entry_id("b")]);
    agent.cache.miss();
    agent.soon(|snapshot| snapshot.credential_count() == 3).await;
    drop(c);
    agent.cache.sync_now();
    let snapshot = agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    assert_eq!(snapshot.serial("c"), None);
}

#[tokio::test]
async fn two_thousand_entries_that_change_at_once_are_all_issued_again_in_full_batches() {
    let many = || (0..2000).map(|number| entry(&format!("e{number}"), draft("many", &["test:many"])));
    let agent = Agent::start_limited(many(), |_| {}, |options| options.most_x509_svids = 5000);
    let before = agent.soon(|snapshot| snapshot.credential_count() == 2000).await;
    let asked = agent.server.calls().batches.len();
    many().for_each(|entry| agent.server.put(entry));
    let is_new = |snapshot: &AgentSnapshot, id: &str| snapshot.serial(id) != before.serial(id);
    let ids: Vec<String> = (0..2000).map(|number| format!("e{number}")).collect();
    agent.soon(|snapshot| ids.iter().all(|id| is_new(snapshot, id))).await;
    let batches = agent.server.calls().batches.split_off(asked);
    assert_eq!(batches.iter().sum::<usize>(), 2000, "each once: {batches:?}");
}

#[tokio::test]
async fn server_that_hangs_on_one_batch_does_not_hold_up_the_entries_of_the_next() {
    let agent = Agent::start([web()]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent.server.deliver(false);
    agent.server.put(db());
    while agent.server.calls().batches.len() < 2 {
        agent.pass(Duration::from_millis(200));
        tokio::task::yield_now().await;
    }
    agent.server.put(entry("more", draft("more", &["test:more"])));
    agent.soon(|snapshot| snapshot.entries().len() == 3).await;
    while agent.server.calls().batches.len() < 3 {
        agent.pass(Duration::from_millis(200));
        tokio::task::yield_now().await;
    }
    agent.server.deliver(true);
    agent.soon(|snapshot| snapshot.credential_count() == 3).await;
}

#[tokio::test]
async fn batch_that_never_comes_back_is_asked_for_again_after_half_a_minute() {
    let agent = Agent::start_with([web()], |server| server.deliver(false));
    while agent.server.calls().batches.is_empty() {
        agent.pass(Duration::ZERO);
        tokio::task::yield_now().await;
    }
    agent.hand.step(Duration::from_secs(30));
    while agent.server.calls().batches.len() < 2 {
        agent.pass(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    agent.server.deliver(true);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
}

#[tokio::test]
async fn workload_keys_are_of_the_kind_that_was_chosen() {
    let kind = KeyKind::EcP384;
    let agent = Agent::start_limited([web()], |_| {}, |options| options.key_kind = kind);
    let snapshot = agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    assert_eq!(snapshot.credential(&entry_id("web")).unwrap().key().public_key().kind(), kind);
}

#[tokio::test]
async fn drain_closes_the_snapshots() {
    let agent = Agent::start([web()]);
    let mut snapshots = agent.cache.subscribe();
    assert!(agent.tasks.stop(MINUTE).await);
    while snapshots.changed().await.is_ok() {}
}
