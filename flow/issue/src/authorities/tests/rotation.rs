//! Rotation by time and by command, through the manager.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

use finial_daemon::Tasks;

use super::super::*;
use super::crash::{assert_signs, ids};
use crate::testing::House;
use crate::{IssueError, IssueMeters};

const X509: AuthorityKind = AuthorityKind::X509;
const DAY: Duration = Duration::from_hours(24);

async fn start(house: &House) -> (AuthorityManager, Tasks) {
    let tasks = Tasks::new(house.clock.clone());
    let (bundles, journal) = (house.store.clone(), house.store.clone());
    let keys = house.keys.clone();
    let manager = AuthorityManager::start(
        house.config.clone(),
        keys,
        bundles,
        journal,
        IssueMeters::default(),
        &house.clock,
        &tasks,
    )
    .await
    .unwrap();
    (manager, tasks)
}

/// A year by the clock. At each look: no leaf outlives its issuer, and what is signed verifies under the bundle as it
/// was published an hour and more before.
#[tokio::test]
async fn year_of_rotations_signs_only_with_what_was_published_long_before() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let active = manager.issuer().active();
    let end = house.clock.now() + DAY * 365;
    let mut first_published: HashMap<String, SystemTime> = HashMap::new();
    let mut authorities_used = HashMap::new();
    let mut published_before = house.bundles();
    let mut looks = 0_u32;
    while house.clock.now() < end {
        house.hand.sleepers(1).await;
        for id in ids(&house.store.stored()) {
            first_published.entry(id).or_insert(house.clock.now());
        }
        let now = house.clock.now();
        let signing = active.borrow().clone();
        let is_new =
            authorities_used.insert(signing.x509.id().to_owned(), signing.jwt.id().to_owned()).is_none();
        if is_new || looks.is_multiple_of(8) {
            assert_signs(&signing, &published_before, now).await;
        }
        looks += 1;
        assert!(now < signing.x509_expires_at() && now < signing.jwt_expires_at());
        if is_new && authorities_used.len() > 1 {
            let hint = house.store.stored().refresh_hint.unwrap();
            let lead = |id: &str| now.duration_since(first_published[id]).unwrap();
            assert!(lead(signing.x509.id()) >= hint * 3, "fed_01: {:?}", lead(signing.x509.id()));
            assert!(lead(signing.jwt.id()) >= hint * 3, "fed_01: {:?}", lead(signing.jwt.id()));
        }
        assert!(house.store.stored().x509_authorities.len() <= 5, "expired authorities are pruned");
        published_before = house.bundles();
        house.hand.advance_to_next_wake();
    }
    assert_eq!(authorities_used.len(), 365 * 2, "one every twelve hours");
}

#[tokio::test]
async fn forced_rotation_works_at_any_time() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let issuer = manager.issuer();
    for kind in AuthorityKind::ALL {
        for _ in 0..3 {
            let before = manager.show(kind).await.unwrap().active.unwrap();
            let prepared = manager.prepare(kind).await.unwrap();
            assert!(ids(&house.store.stored()).contains(&prepared.id), "published before it is used");
            assert_eq!(manager.show(kind).await.unwrap().active.as_ref(), Some(&before));
            manager.activate(kind, &prepared.id).await.unwrap();
            let states = manager.show(kind).await.unwrap();
            assert_eq!((states.active, states.prepared, states.old), (Some(prepared), None, Some(before)));
            assert_signs(&issuer.active().borrow().clone(), &house.bundles(), house.clock.now()).await;
        }
    }
}

#[tokio::test]
async fn issuer_has_the_new_authority_when_activate_returns() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let active = manager.issuer().active();
    let prepared = manager.prepare(X509).await.unwrap();
    manager.activate(X509, prepared.id.clone()).await.unwrap();
    assert_eq!(active.borrow().x509_authority_id(), prepared.id);
}

#[tokio::test]
async fn only_the_prepared_authority_can_be_activated() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let active = manager.show(X509).await.unwrap().active.unwrap().id;
    let refusal = async |id: &str| manager.activate(X509, id).await.unwrap_err().to_string();
    assert_eq!(refusal("").await, "no authority ID provided");
    assert_eq!(refusal("ffff").await, "unexpected authority ID: `ffff` (none is prepared)");
    assert_eq!(
        refusal(&active).await,
        format!("only Prepared authorities can be activated: `{active}` is active")
    );
    let prepared = manager.prepare(X509).await.unwrap().id;
    assert_eq!(refusal("ffff").await, format!("unexpected authority ID: `ffff` (prepared is `{prepared}`)"));
    manager.activate(X509, prepared).await.unwrap();
    assert_eq!(
        refusal(&active).await,
        format!("only Prepared authorities can be activated: `{active}` is old")
    );
}

#[tokio::test]
async fn only_old_authorities_can_be_tainted_and_only_tainted_ones_revoked() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    for kind in AuthorityKind::ALL {
        let first = manager.show(kind).await.unwrap().active.unwrap().id;
        let second = manager.prepare(kind).await.unwrap().id;
        for id in [&first, &second] {
            assert!(matches!(manager.taint(kind, id).await, Err(IssueError::WrongState { .. })));
            assert!(matches!(manager.revoke(kind, id).await, Err(IssueError::WrongState { .. })));
        }
        assert!(matches!(manager.taint(kind, "").await, Err(IssueError::NoAuthorityId)));
        assert!(matches!(manager.revoke(kind, "x").await, Err(IssueError::UnexpectedAuthority { .. })));
        manager.activate(kind, &second).await.unwrap();
        assert!(matches!(manager.revoke(kind, &first).await, Err(IssueError::Untainted { .. })));
        manager.taint(kind, &first).await.unwrap();
        assert!(published::find(&house.store.stored(), kind, &first).unwrap().1, "marked in the bundle");
        manager.taint(kind, &first).await.unwrap();
        manager.revoke(kind, &first).await.unwrap();
        assert!(!ids(&house.store.stored()).contains(&first));
        assert_eq!(manager.show(kind).await.unwrap().old, None);
        assert!(matches!(manager.revoke(kind, &first).await, Err(IssueError::UnexpectedAuthority { .. })));
    }
    let keys: Vec<_> = house.keys.keys().await.unwrap().iter().map(|key| key.id().to_owned()).collect();
    assert_eq!(keys, ["JWT-Signer-B", "x509-CA-B"], "the keys of revoked authorities are deleted");
}

/// A house whose first authority of a kind was rotated out of both slots, and its ID.
async fn house_that_outlived_its_first(
    kind: AuthorityKind,
    taint: bool,
) -> (House, AuthorityManager, String) {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let first = manager.show(kind).await.unwrap().active.unwrap().id;
    for round in 0..2 {
        let next = manager.prepare(kind).await.unwrap().id;
        manager.activate(kind, next).await.unwrap();
        if taint && round == 0 {
            manager.taint(kind, &first).await.unwrap();
        }
    }
    assert!(ids(&house.store.stored()).contains(&first), "what it signed is still in use");
    (house, manager, first)
}

#[tokio::test]
async fn authority_that_left_its_slot_is_not_tainted() {
    for kind in AuthorityKind::ALL {
        let (_house, manager, first) = house_that_outlived_its_first(kind, false).await;
        let old = manager.show(kind).await.unwrap().old.unwrap().id;
        let refusal = manager.taint(kind, &first).await.unwrap_err().to_string();
        assert_eq!(refusal, format!("unexpected authority ID: `{first}` (old is `{old}`)"));
    }
}

#[tokio::test]
async fn tainted_jwt_key_is_revoked_wherever_the_bundle_got_it_from() {
    let (house, manager, first) = house_that_outlived_its_first(AuthorityKind::Jwt, true).await;
    manager.revoke(AuthorityKind::Jwt, &first).await.unwrap();
    assert!(!ids(&house.store.stored()).contains(&first));
    let (_house, manager, first) = house_that_outlived_its_first(AuthorityKind::Jwt, false).await;
    let untainted = manager.revoke(AuthorityKind::Jwt, &first).await;
    assert!(matches!(untainted, Err(IssueError::Untainted { .. })));
}

#[tokio::test]
async fn x509_authority_that_left_its_slot_is_not_revoked() {
    let (house, manager, first) = house_that_outlived_its_first(X509, true).await;
    let refusal = manager.revoke(X509, &first).await;
    assert!(matches!(refusal, Err(IssueError::UnexpectedAuthority { .. })));
    assert!(ids(&house.store.stored()).contains(&first));
}

#[tokio::test]
async fn second_prepare_gives_the_first_prepared_authority_up() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let first = manager.prepare(X509).await.unwrap().id;
    let second = manager.prepare(X509).await.unwrap().id;
    assert_eq!(manager.show(X509).await.unwrap().prepared.unwrap().id, second);
    let published = ids(&house.store.stored());
    assert!(published.contains(&second) && !published.contains(&first), "it has signed nothing");
}

#[tokio::test]
async fn failing_store_is_tried_again_and_signing_goes_on() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let before = manager.show(X509).await.unwrap().active.unwrap().id;
    house.store.faults.arm(1, false);
    let error = manager.prepare(X509).await.unwrap_err();
    assert!(matches!(error, IssueError::Store(_)), "{error}");
    assert_eq!(manager.issuer().active().borrow().x509_authority_id(), before);
    house.hand.sleepers(1).await;
    house.hand.step(Duration::from_hours(21));
    house.hand.sleepers(1).await;
    assert_eq!(manager.issuer().active().borrow().x509_authority_id(), before);
    house.store.faults.arm(0, false);
    house.hand.advance_to_next_wake();
    house.hand.sleepers(1).await;
    let prepared = manager.show(X509).await.unwrap().prepared.unwrap().id;
    house.hand.step(Duration::from_hours(2));
    house.hand.sleepers(1).await;
    assert_eq!(manager.issuer().active().borrow().x509_authority_id(), prepared, "rotation caught up");
}

#[tokio::test]
async fn rotation_goes_on_when_all_managers_are_dropped() {
    let house = House::new();
    let (manager, _tasks) = start(&house).await;
    let active = manager.issuer().active();
    let before = active.borrow().x509_authority_id().to_owned();
    drop(manager);
    house.hand.sleepers(1).await;
    house.hand.step(DAY);
    house.hand.sleepers(1).await;
    assert_ne!(active.borrow().x509_authority_id(), before);
}

#[tokio::test]
async fn manager_says_so_when_the_program_stops() {
    let house = House::new();
    let (manager, tasks) = start(&house).await;
    assert!(tasks.stop(Duration::from_secs(1)).await);
    assert!(matches!(manager.show(X509).await, Err(IssueError::Stopped)));
}

#[tokio::test]
async fn configuration_that_cannot_work_is_refused() {
    let refusal = async |change: fn(&mut crate::IssueConfig)| {
        let mut house = House::new();
        change(&mut house.config);
        let tasks = Tasks::new(house.clock.clone());
        let (bundles, journal, keys) = (house.store.clone(), house.store.clone(), house.keys.clone());
        let started = AuthorityManager::start(
            house.config,
            keys,
            bundles,
            journal,
            IssueMeters::default(),
            &house.clock,
            &tasks,
        )
        .await;
        started.unwrap_err().to_string()
    };
    assert_eq!(
        refusal(|config| config.ca_ttl = Duration::from_secs(9)).await,
        "ca_ttl is 9s: set at least 10s"
    );
    assert_eq!(
        refusal(|config| config.agent_ttl = Some(Duration::ZERO)).await,
        "agent_ttl is 0s: set a longer one, or leave it out"
    );
    assert_eq!(
        refusal(|config| config.ca_key_type = finial_identity::KeyKind::Ed25519).await,
        "ca_key_type is Ed25519: set rsa-2048, rsa-4096, ec-p256 or ec-p384"
    );
}
