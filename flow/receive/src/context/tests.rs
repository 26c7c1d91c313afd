//! What belongs together is accepted whole, and anything else refused whole.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::BundleSet;

use super::X509Context;
use crate::ReceiveError;
use crate::testing::{Authority, SVID_TTL, start};

const ID: &str = "spiffe://example.org/web";

#[test]
fn rule_11_a_leaf_that_its_own_bundle_does_not_vouch_for_is_refused() {
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    let refused = X509Context::new(vec![ours.credential(ID)], others.bundles(), start());
    assert!(matches!(refused, Err(ReceiveError::Mismatch { id, .. }) if id.as_str() == ID));
    let refused = X509Context::new(vec![ours.credential(ID)], BundleSet::default(), start());
    assert!(matches!(refused, Err(ReceiveError::Mismatch { .. })));
}

#[test]
fn rule_11_one_credential_that_does_not_belong_spoils_the_set() {
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    let credentials = vec![ours.credential(ID), others.credential("spiffe://example.org/db")];
    assert!(X509Context::new(credentials, ours.bundles(), start()).is_err());
}

#[test]
fn rule_2_only_the_bundle_of_the_leafs_own_trust_domain_vouches_for_it() {
    let (home, abroad) = (Authority::new("example.org"), Authority::new("other.org"));
    let forged = abroad.credential(ID);
    let bundles: BundleSet = [home.bundle(), abroad.bundle()].into_iter().collect();
    assert!(X509Context::new(vec![forged], bundles, start()).is_err());
}

#[test]
fn wap_10_a_set_without_an_svid_is_refused() {
    let refused = X509Context::new(Vec::new(), Authority::new("example.org").bundles(), start());
    assert!(matches!(refused, Err(ReceiveError::NoSvid)));
}

#[test]
fn wap_15_of_a_repeated_hint_the_first_wins_and_empty_hints_do_not_repeat() {
    let ours = Authority::new("example.org");
    let credentials = [("a", "internal"), ("b", ""), ("c", "internal"), ("d", "")].map(|(name, hint)| {
        ours.credential_with_hint(&format!("spiffe://example.org/{name}"), start(), hint)
    });
    let context = X509Context::new(credentials.into(), ours.bundles(), start()).unwrap();
    let kept: Vec<_> = context.credentials().iter().map(|one| one.svid().id().path().to_owned()).collect();
    assert_eq!(kept, ["/a", "/b", "/d"]);
}

#[test]
fn wap_25_the_first_credential_is_the_default() {
    let ours = Authority::new("example.org");
    for order in [["/a", "/b"], ["/b", "/a"]] {
        let credentials = order.map(|path| ours.credential(&format!("spiffe://example.org{path}")));
        let context = X509Context::new(credentials.into(), ours.bundles(), start()).unwrap();
        assert_eq!(context.credential().unwrap().svid().id().path(), order[0]);
    }
}

#[test]
fn an_expired_credential_is_refused_and_one_from_a_clock_ahead_of_ours_is_not() {
    let ours = Authority::new("example.org");
    let with_clock_at = |at| X509Context::new(vec![ours.credential(ID)], ours.bundles(), at);
    assert!(with_clock_at(start() + SVID_TTL + Duration::from_secs(1)).is_err());
    assert!(with_clock_at(start() - Duration::from_secs(300)).is_ok());
}
