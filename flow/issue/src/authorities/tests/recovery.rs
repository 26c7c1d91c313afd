//! Starting from every state that a loss, a restore or a long absence can leave behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_daemon::metrics::CallStatus;
use finial_identity::{CLOCK_SKEW, KeyKind};

use super::super::*;
use super::crash::ids;
use crate::IssueError;
use crate::testing::House;

const X509: AuthorityKind = AuthorityKind::X509;
const JWT: AuthorityKind = AuthorityKind::Jwt;
const DAY: Duration = Duration::from_hours(24);

impl House {
    pub(super) async fn keep(&self) {
        let shelf = self.shelf();
        let mut books = shelf.open().await.unwrap();
        books.keep().await.unwrap();
    }

    pub(super) async fn prepare(&self, kind: AuthorityKind) -> String {
        let shelf = self.shelf();
        let mut books = shelf.open().await.unwrap();
        books.prepare(kind).await.unwrap().id
    }

    pub(super) async fn activate(&self, kind: AuthorityKind, id: &str) -> Result<Authority, IssueError> {
        let shelf = self.shelf();
        let mut books = shelf.open().await.unwrap();
        books.activate(kind, id).await
    }

    pub(super) async fn active(&self, kind: AuthorityKind) -> String {
        self.states(kind).await.active.unwrap().id
    }

    async fn key_ids(&self) -> Vec<String> {
        self.keys.keys().await.unwrap().iter().map(|key| key.id().to_owned()).collect()
    }
}

#[tokio::test]
async fn first_start_makes_and_publishes_an_authority_of_each_kind() {
    let house = House::new();
    house.keep().await;
    for kind in AuthorityKind::ALL {
        let states = house.states(kind).await;
        assert!(states.active.is_some() && states.prepared.is_none() && states.old.is_none());
    }
    assert_eq!(ids(&house.store.stored()), [house.active(X509).await, house.active(JWT).await]);
    assert_eq!(house.store.stored().refresh_hint, Some(DAY / 10));
    assert_eq!(house.key_ids().await, ["JWT-Signer-A", "x509-CA-A"]);
    house.assert_signs_under_the_stored_bundle().await;
}

#[tokio::test]
async fn jsv_14_jwt_authority_is_published_under_its_own_kid() {
    let house = House::new();
    house.keep().await;
    let kid = house.active(JWT).await;
    assert!(kid.len() == 32 && kid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{kid}");
    let document: serde_json::Value = serde_json::from_str(&house.store.stored().to_spiffe_json()).unwrap();
    let jwt_keys: Vec<_> =
        document["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "jwt-svid").collect();
    assert_eq!(jwt_keys.len(), 1);
    assert_eq!(jwt_keys[0]["kid"], kid.as_str());
}

#[tokio::test]
async fn restart_goes_on_with_the_same_authorities_and_writes_nothing() {
    let house = House::new();
    house.keep().await;
    let (journal, bundle) = (house.store.journal_bytes(), house.store.stored());
    house.keep().await;
    assert_eq!(house.store.journal_bytes(), journal);
    assert_eq!(house.store.stored(), bundle);
}

#[tokio::test]
async fn lost_keys_give_new_authorities_and_the_old_ones_stay_until_they_have_expired() {
    let mut house = House::new();
    house.keep().await;
    let before = ids(&house.store.stored());
    house.lose_keys();
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    let after = ids(&house.store.stored());
    assert_eq!(after.len(), 4);
    assert!(before.iter().all(|id| after.contains(id)));
    house.hand.step(DAY * 2 - Duration::from_secs(1));
    house.keep().await;
    assert!(before.iter().all(|id| ids(&house.store.stored()).contains(id)));
    house.hand.step(Duration::from_secs(1));
    house.keep().await;
    assert!(before.iter().all(|id| !ids(&house.store.stored()).contains(id)));
}

#[tokio::test]
async fn keys_whose_authorities_the_bundle_holds_go_on_without_a_journal() {
    let house = House::new();
    house.keep().await;
    let prepared = house.prepare(X509).await;
    let active = (house.active(X509).await, house.active(JWT).await);
    let keys = house.key_ids().await;
    house.store.forget_journal();
    house.keep().await;
    assert_eq!((house.active(X509).await, house.active(JWT).await), active);
    assert_eq!(house.states(X509).await.prepared.map(|authority| authority.id), Some(prepared));
    assert_eq!(house.key_ids().await, keys);
    house.assert_signs_under_the_stored_bundle().await;
}

#[tokio::test]
async fn keys_that_nothing_knows_are_kept_and_new_ones_are_made_beside_them() {
    let house = House::new();
    house.keep().await;
    house.store.forget_journal();
    house.store.forget_bundle();
    house.keep().await;
    assert_eq!(house.key_ids().await, ["JWT-Signer-A", "JWT-Signer-A-2", "x509-CA-A", "x509-CA-A-2"]);
    house.assert_signs_under_the_stored_bundle().await;
}

#[tokio::test]
async fn tainted_authority_is_not_taken_up_without_a_journal() {
    let house = House::new();
    house.keep().await;
    let first = house.active(X509).await;
    let second = house.prepare(X509).await;
    house.activate(X509, &second).await.unwrap();
    let shelf = house.shelf();
    shelf.open().await.unwrap().taint(X509, &first).await.unwrap();
    house.store.forget_journal();
    house.keep().await;
    assert_eq!(house.active(X509).await, second);
    assert_eq!(house.states(X509).await.prepared, None);
}

#[tokio::test]
async fn lost_bundle_is_published_again() {
    let house = House::new();
    house.keep().await;
    let before = ids(&house.store.stored());
    house.store.forget_bundle();
    house.keep().await;
    assert_eq!(ids(&house.store.stored()), before);
}

#[tokio::test]
async fn journal_older_than_the_bundle_loses_no_authority() {
    let house = House::new();
    house.keep().await;
    let next = house.prepare(X509).await;
    house.activate(X509, &next).await.unwrap();
    let before = ids(&house.store.stored());
    house.store.restore_previous_journal();
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    assert!(before.iter().all(|id| ids(&house.store.stored()).contains(id)));
}

#[tokio::test]
async fn damaged_journal_is_set_aside_and_the_previous_one_used() {
    let house = House::new();
    house.keep().await;
    let active = house.active(X509).await;
    house.prepare(X509).await;
    let mut damaged = house.store.journal_bytes();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    house.store.overwrite_journal(&damaged);
    house.keep().await;
    assert_eq!(house.active(X509).await, active);
    let journal = journal::Journal::parse(&house.store.journal_bytes()).unwrap();
    use base64::Engine;
    assert_eq!(journal.set_aside, [base64::engine::general_purpose::STANDARD.encode(&damaged)]);
    house.assert_signs_under_the_stored_bundle().await;
}

#[tokio::test]
async fn two_damaged_journals_are_set_aside_and_the_keys_go_on() {
    let house = House::new();
    house.keep().await;
    let active = house.active(X509).await;
    house.store.overwrite_journal(b"rubbish");
    house.store.overwrite_previous_journal(b"more rubbish");
    house.keep().await;
    assert_eq!(house.active(X509).await, active);
    let journal = journal::Journal::parse(&house.store.journal_bytes()).unwrap();
    assert_eq!(journal.set_aside.len(), 2);
}

#[tokio::test]
async fn journal_of_a_later_version_stops_the_start_and_is_not_touched() {
    let house = House::new();
    house.keep().await;
    let later = b"finial-journal 7 unknown\n{}";
    house.store.overwrite_journal(later);
    let shelf = house.shelf();
    let error = shelf.open().await.unwrap_err();
    assert!(matches!(error, IssueError::JournalFormat { format: 7, .. }), "{error}");
    assert_eq!(house.store.journal_bytes(), later);
}

#[tokio::test]
async fn journal_of_another_trust_domain_stops_the_start_and_is_not_touched() {
    let mut house = House::new();
    house.keep().await;
    let before = house.store.journal_bytes();
    house.config.trust_domain = finial_identity::TrustDomain::parse("other.example").unwrap();
    let shelf = house.shelf();
    let error = shelf.open().await.unwrap_err();
    assert!(matches!(error, IssueError::OtherTrustDomain { .. }), "{error}");
    assert!(error.to_string().contains("spiffe://example.org"), "{error}");
    assert_eq!(house.store.journal_bytes(), before);
}

#[tokio::test]
async fn authorities_that_expired_while_down_are_replaced_at_once() {
    let house = House::new();
    house.keep().await;
    let before = (house.active(X509).await, house.active(JWT).await);
    for days in [1, 400] {
        house.hand.step(DAY * days);
        house.keep().await;
        assert_ne!((house.active(X509).await, house.active(JWT).await), before);
        house.assert_signs_under_the_stored_bundle().await;
    }
}

#[tokio::test]
async fn authority_that_expires_while_the_books_are_kept_is_replaced_within_a_second() {
    let house = House::new();
    let shelf = house.shelf();
    let mut books = shelf.open().await.unwrap();
    books.keep().await.unwrap();
    house.hand.step(DAY * 2);
    assert_eq!(books.next_look(), books.now() + Duration::from_secs(1));
}

#[tokio::test]
async fn prepared_authority_takes_over_after_a_long_sleep() {
    let house = House::new();
    house.keep().await;
    house.hand.step(DAY / 2);
    house.keep().await;
    let prepared = house.states(X509).await.prepared.unwrap().id;
    house.hand.step(DAY * 5 / 8);
    house.keep().await;
    assert_eq!(house.active(X509).await, prepared);
    assert!(house.states(X509).await.prepared.is_some(), "it is past its own half life");
}

#[tokio::test]
async fn prunings_of_the_bundle_are_counted() {
    let house = House::new();
    let shelf = house.shelf();
    let keep = async || shelf.open().await.unwrap().keep().await.unwrap();
    keep().await;
    // Half a day later, and when that one's successor has ended too and was kept for a day more.
    for span in [DAY / 2, DAY * 4] {
        assert_eq!(shelf.meters.prune.count(CallStatus::OK), 0);
        house.hand.step(span);
        keep().await;
    }
    assert!(shelf.meters.prune.count(CallStatus::OK) > 0);
    assert_eq!(shelf.meters.pruned.value(), shelf.meters.prune.count(CallStatus::OK));
}

#[tokio::test]
async fn clock_set_back_gives_authorities_that_are_valid_then() {
    let house = House::new();
    house.keep().await;
    let now = house.clock.now();
    house.hand.set(now - Duration::from_secs(50));
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    assert_eq!(ids(&house.store.stored()).len(), 2, "NotBefore is a minute back");
    house.hand.set(now - CLOCK_SKEW);
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    assert_eq!(ids(&house.store.stored()).len(), 2, "agents know these authorities, and no others");
    house.hand.set(now - 2 * CLOCK_SKEW);
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    assert_eq!(ids(&house.store.stored()).len(), 4, "nobody takes what is from so far ahead");
    house.hand.set(now + CLOCK_SKEW);
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
}

#[tokio::test]
async fn rsa_authorities_sign_after_those_of_another_type_and_before() {
    let mut house = House::new();
    house.config.ca_key_type = KeyKind::Rsa { bits: 2048 };
    house.keep().await;
    house.assert_signs_under_the_stored_bundle().await;
    house.config.ca_key_type = KeyKind::EcP256;
    house.config.jwt_key_type = Some(KeyKind::Rsa { bits: 2048 });
    for kind in AuthorityKind::ALL {
        let next = house.prepare(kind).await;
        house.activate(kind, &next).await.unwrap();
        house.assert_signs_under_the_stored_bundle().await;
    }
}

#[tokio::test]
async fn changed_key_type_takes_effect_at_the_next_prepare() {
    let mut house = House::new();
    house.keep().await;
    let before = house.active(X509).await;
    house.config.ca_key_type = KeyKind::EcP384;
    house.keep().await;
    assert_eq!(house.active(X509).await, before);
    for kind in AuthorityKind::ALL {
        let next = house.prepare(kind).await;
        house.activate(kind, &next).await.unwrap();
    }
    house.assert_signs_under_the_stored_bundle().await;
    for key in house.keys.keys().await.unwrap() {
        let expected = if key.id().ends_with('B') { KeyKind::EcP384 } else { KeyKind::EcP256 };
        assert_eq!(key.public_key().kind(), expected, "{}", key.id());
    }
}
