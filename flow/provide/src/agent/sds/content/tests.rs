//! What makes contents the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_identity::Bundle;
use finial_wire::SecretContent;

use super::{is_same, version};
use crate::agent::testing::{Authority, trust_domain};

fn bundle(authority: &Authority) -> Bundle {
    Bundle { x509_authorities: vec![authority.certificate()], ..Bundle::empty(trust_domain()) }
}

#[test]
fn version_tells_contents_apart_and_is_stable() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let contents = [
        SecretContent::Spiffe(vec![Arc::new(bundle(&one))]),
        SecretContent::Spiffe(vec![Arc::new(bundle(&other))]),
        SecretContent::Spiffe(vec![Arc::new(bundle(&one)), Arc::new(bundle(&other))]),
        SecretContent::Authorities(Arc::new(bundle(&one))),
        SecretContent::Nobody(Arc::new(bundle(&one))),
    ];
    for (number, content) in contents.iter().enumerate() {
        assert_eq!(version(content).len(), 32);
        for (other_number, other) in contents.iter().enumerate() {
            let is_expected = number == other_number;
            assert_eq!(is_same(content, other), is_expected, "{content:?} and {other:?}");
            assert_eq!(version(content) == version(other), is_expected, "{content:?} and {other:?}");
        }
    }
}

#[test]
fn bundles_with_the_same_certificates_are_the_same() {
    let authority = Authority::new("one");
    let older = bundle(&authority);
    let newer = Bundle { sequence_number: 7, ..older.clone() };
    let (older, newer) =
        (SecretContent::Spiffe(vec![Arc::new(older)]), SecretContent::Spiffe(vec![Arc::new(newer)]));
    assert!(is_same(&older, &newer));
    assert_eq!(version(&older), version(&newer));
}
