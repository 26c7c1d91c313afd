//! What is let in at the door, and what is not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use finial_identity::{Bundle, KeyKind, PrivateKey, X509Svid};

use super::{Anchors, Refusal, withdraws};
use crate::agent::testing::{Authority, LIFE, draft, entry, spiffe_id, start_of_time, trust_domain};

const MINUTE: Duration = Duration::from_secs(60);

struct Case {
    authority: Authority,
    key: PrivateKey,
}

impl Case {
    fn new() -> Self {
        Self { authority: Authority::new("one"), key: PrivateKey::generate(KeyKind::EcP256).unwrap() }
    }

    fn svid(&self, name: &str) -> X509Svid {
        let now = start_of_time();
        self.authority.issue(&spiffe_id(name), self.key.public_key(), now - MINUTE, now + LIFE)
    }

    fn admit(&self, svid: X509Svid, bundle: Bundle) -> Result<(), Refusal> {
        let entry = entry("web", draft("web", &["t:web"]));
        let anchors = Anchors::of(&Arc::new(bundle));
        anchors.admit(&entry, self.key.clone(), svid, start_of_time()).map(drop)
    }
}

fn bundle<'a>(authorities: impl IntoIterator<Item = &'a Authority>) -> Bundle {
    let x509_authorities = authorities.into_iter().map(Authority::certificate).collect();
    Bundle { x509_authorities, ..Bundle::empty(trust_domain()) }
}

#[test]
fn svid_that_belongs_to_entry_key_and_bundle_is_let_in() {
    let case = Case::new();
    case.admit(case.svid("/web"), bundle([&case.authority])).unwrap();
}

#[test]
fn svid_of_another_identity_is_refused() {
    let case = Case::new();
    let refused = case.admit(case.svid("/admin"), bundle([&case.authority]));
    assert!(matches!(refused, Err(Refusal::OtherIdentity(id)) if id == spiffe_id("/admin")));
}

#[test]
fn svid_of_another_key_is_refused() {
    let case = Case::new();
    let svid = Case { authority: Authority::new("unused"), ..Case::new() };
    let now = start_of_time();
    let svid = case.authority.issue(&spiffe_id("/web"), svid.key.public_key(), now - MINUTE, now + LIFE);
    assert!(matches!(case.admit(svid, bundle([&case.authority])), Err(Refusal::OtherKey(_))));
}

#[test]
fn svid_of_a_stranger_is_refused() {
    let case = Case::new();
    let refused = case.admit(case.svid("/web"), bundle([&Authority::new("other")]));
    assert!(matches!(refused, Err(Refusal::Untrusted(_))));
}

#[test]
fn svid_that_has_expired_is_refused() {
    let case = Case::new();
    let now = start_of_time();
    let expired = case.authority.issue(&spiffe_id("/web"), case.key.public_key(), now - LIFE, now - MINUTE);
    assert!(matches!(case.admit(expired, bundle([&case.authority])), Err(Refusal::Expired)));
}

#[test]
fn agent_whose_clock_is_behind_takes_its_svid() {
    let case = Case::new();
    let begins = start_of_time() + 5 * MINUTE;
    let svid = case.authority.issue(&spiffe_id("/web"), case.key.public_key(), begins, begins + LIFE);
    case.admit(svid, bundle([&case.authority])).unwrap();
}

#[test]
fn svid_of_a_tainted_authority_is_let_in_but_does_not_hold() {
    let case = Case::new();
    let mut tainted = bundle([&case.authority]);
    tainted.x509_authorities = vec![case.authority.certificate().tainted(true)];
    case.admit(case.svid("/web"), tainted.clone()).unwrap();
    assert!(!Anchors::of(&Arc::new(tainted)).hold(&case.svid("/web"), start_of_time()));
}

#[test]
fn withdrawal_is_a_removal_or_a_taint() {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let tainted =
        Bundle { x509_authorities: vec![one.certificate().tainted(true)], ..Bundle::empty(trust_domain()) };
    assert!(!withdraws(&bundle([&one]), &bundle([&one, &two])));
    assert!(!withdraws(&bundle([&one]), &bundle([&one])));
    assert!(withdraws(&bundle([&one, &two]), &bundle([&two])));
    assert!(withdraws(&bundle([&one]), &tainted));
    assert!(!withdraws(&tainted, &bundle([])), "what it signed was replaced when it was tainted");
}
