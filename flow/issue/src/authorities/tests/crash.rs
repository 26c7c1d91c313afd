//! A crash at every call to the store and to the keys, with and without the call's effect, then a new start.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_identity::{Audience, Bundle, BundleSet, JwtSvid, KeyKind, PrivateKey, Role, SpiffeId};

use super::super::shelf::Shelf;
use super::super::*;
use crate::IssueError;
use crate::jwt::JwtRequest;
use crate::testing::House;
use crate::x509::X509Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FirstStart,
    Prepare,
    PrepareAgain,
    Activate,
    Taint,
    Revoke,
}

impl House {
    pub(super) fn shelf(&self) -> Shelf {
        Shelf {
            config: self.config.clone(),
            keys: Arc::clone(&self.keys),
            bundles: self.store.clone(),
            journal: self.store.clone(),
            meters: crate::IssueMeters::default(),
            clock: self.clock.clone(),
        }
    }

    /// Opens the books as a start does, then runs one command.
    async fn run(&self, step: Step, kind: AuthorityKind, target: &str) -> Result<(), IssueError> {
        let shelf = self.shelf();
        let mut books = shelf.open().await?;
        books.keep().await?;
        match step {
            Step::FirstStart => Ok(()),
            Step::Prepare | Step::PrepareAgain => books.prepare(kind).await.map(drop),
            Step::Activate => books.activate(kind, target).await.map(drop),
            Step::Taint => books.taint(kind, target).await.map(drop),
            Step::Revoke => books.revoke(kind, target).await.map(drop),
        }
    }

    /// Brings the house to where `step` can be taken, and names the authority it is for.
    async fn lead_to(&self, step: Step, kind: AuthorityKind) -> String {
        if step == Step::FirstStart {
            return String::new();
        }
        self.run(Step::FirstStart, kind, "").await.unwrap();
        let first = self.states(kind).await.active.unwrap().id;
        if step == Step::Prepare {
            return String::new();
        }
        self.run(Step::Prepare, kind, "").await.unwrap();
        let prepared = self.states(kind).await.prepared.unwrap().id;
        if matches!(step, Step::PrepareAgain | Step::Activate) {
            return prepared;
        }
        self.run(Step::Activate, kind, &prepared).await.unwrap();
        if step == Step::Revoke {
            self.run(Step::Taint, kind, &first).await.unwrap();
        }
        first
    }

    pub(super) async fn states(&self, kind: AuthorityKind) -> AuthorityStates {
        self.shelf().open().await.unwrap().states(kind)
    }

    /// Signs one SVID of each kind with what is active, and verifies them under the stored bundle.
    pub(super) async fn assert_signs_under_the_stored_bundle(&self) {
        let shelf = self.shelf();
        let books = shelf.open().await.unwrap();
        let active = books.active().unwrap().expect("something is active");
        assert_signs(&active, &self.bundles(), books.now()).await;
    }
}

/// Signs with a longer TTL than any authority has left, and verifies.
pub(super) async fn assert_signs(active: &ActiveAuthorities, bundles: &BundleSet, now: SystemTime) {
    let id: SpiffeId = "spiffe://example.org/web".parse().unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let ttl = Duration::from_hours(48);
    let request = X509Request { id: &id, dns_names: &[], subject: None, ttl };
    let x509 = active.x509.issue(&request, key.public_key(), now).await.unwrap();
    x509.verify(bundles, x509.instant_within(now, CLOCK_SKEW), Role::Client).unwrap();
    assert_eq!(x509.not_after(), active.x509_expires_at(), "no leaf outlives its issuer");
    let audience = Audience::new(["db"]).unwrap();
    let request = JwtRequest { id, audience, ttl, issuer: None, with_token_id: false };
    let jwt = active.jwt.issue(request, now).await.unwrap();
    JwtSvid::verify(jwt.token(), "db", bundles, now).unwrap();
    assert_eq!(jwt.expires_at(), active.jwt_expires_at(), "no token outlives its key");
}

pub(super) fn ids(bundle: &Bundle) -> Vec<String> {
    let x509 = bundle.x509_authorities.iter().map(finial_identity::X509Authority::subject_key_id_hex);
    x509.chain(bundle.jwt_authorities.iter().map(|authority| authority.key_id.clone())).collect()
}

/// Breaks `step` at its `call`-th call; `false` when it has fewer calls.
async fn crash(step: Step, kind: AuthorityKind, call: usize, with_effect: bool) -> bool {
    let house = House::new();
    let target = house.lead_to(step, kind).await;
    let signed_before = house.shelf().open().await.unwrap().active().unwrap();
    let known_before = if step == Step::FirstStart { Vec::new() } else { ids(&house.store.stored()) };

    house.store.faults.arm(call, with_effect);
    let broken = house.run(step, kind, &target).await.is_err();
    house.store.faults.arm(0, false);

    let context = format!("{step:?} of {kind}, call {call}, with effect: {with_effect}");
    if let Some(active) = &signed_before {
        // The process may have lived on after the failure, with what was active before.
        assert_signs(active, &house.bundles(), house.clock.now()).await;
    }
    house.run(Step::FirstStart, kind, "").await.expect(&context);
    house.assert_signs_under_the_stored_bundle().await;
    let known = ids(&house.store.stored());
    let may_leave = matches!(step, Step::Revoke | Step::PrepareAgain).then_some(&target);
    for id in &known_before {
        assert!(known.contains(id) || Some(id) == may_leave, "{context}: lost {id}");
    }
    if !matches!(step, Step::FirstStart) && signed_before.is_some() {
        // Whatever was interrupted, the command can be given again, and then has its effect.
        let state = house.states(kind).await;
        match step {
            Step::Activate if state.prepared.is_some() => {
                house.run(step, kind, &target).await.expect(&context);
            }
            Step::Prepare | Step::PrepareAgain | Step::Taint => {
                house.run(step, kind, &target).await.expect(&context);
            }
            Step::Revoke if known.contains(&target) => house.run(step, kind, &target).await.expect(&context),
            _ => {}
        }
        let stored = house.store.stored();
        match step {
            Step::Activate => assert_eq!(house.states(kind).await.active.unwrap().id, target, "{context}"),
            Step::Taint => assert!(published::find(&stored, kind, &target).unwrap().1, "{context}"),
            Step::Revoke => assert!(!ids(&stored).contains(&target), "{context}"),
            _ => assert!(house.states(kind).await.prepared.is_some(), "{context}"),
        }
        house.assert_signs_under_the_stored_bundle().await;
    }
    broken
}

async fn crash_everywhere(step: Step) {
    for kind in AuthorityKind::ALL {
        for with_effect in [false, true] {
            let mut call = 1;
            while crash(step, kind, call, with_effect).await {
                call += 1;
            }
            assert!(call > 3, "{step:?} makes {call} calls: nothing was tested");
        }
    }
}

#[tokio::test]
async fn first_start_survives_a_crash_anywhere() {
    crash_everywhere(Step::FirstStart).await;
}

#[tokio::test]
async fn prepare_survives_a_crash_anywhere() {
    crash_everywhere(Step::Prepare).await;
}

#[tokio::test]
async fn second_prepare_survives_a_crash_anywhere() {
    crash_everywhere(Step::PrepareAgain).await;
}

#[tokio::test]
async fn activate_survives_a_crash_anywhere() {
    crash_everywhere(Step::Activate).await;
}

#[tokio::test]
async fn taint_survives_a_crash_anywhere() {
    crash_everywhere(Step::Taint).await;
}

#[tokio::test]
async fn revoke_survives_a_crash_anywhere() {
    crash_everywhere(Step::Revoke).await;
}

#[tokio::test]
async fn crash_loop_on_the_first_start_makes_no_more_keys_than_slots() {
    let house = House::new();
    for call in 1..40 {
        house.store.faults.arm(call, true);
        let _ = house.run(Step::FirstStart, AuthorityKind::X509, "").await;
    }
    house.store.faults.arm(0, false);
    house.run(Step::FirstStart, AuthorityKind::X509, "").await.unwrap();
    let keys: Vec<_> = house.keys.keys().await.unwrap().iter().map(|key| key.id().to_owned()).collect();
    assert_eq!(keys, ["JWT-Signer-A", "x509-CA-A"]);
}
