//! Bundles.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::{Bundle, JwtAuthority, KeyKind, PrivateKey};

use super::{bundle, to_bundle};
use crate::harness::{Ca, noon};
use crate::proto::types;

fn full() -> Bundle {
    let mut full = Ca::new("example.org").bundle();
    let tainted = full.x509_authorities[0].clone().tainted(true);
    full.x509_authorities.push(tainted);
    let key = PrivateKey::generate(KeyKind::EcP384).unwrap();
    full.jwt_authorities = vec![JwtAuthority {
        key_id: "one".to_owned(),
        public_key: key.public_key().clone(),
        expires_at: Some(noon()),
        tainted: true,
    }];
    full.refresh_hint = Some(Duration::from_secs(300));
    full.sequence_number = 42;
    full
}

#[test]
fn bundles_survive_the_wire() {
    let given = full();
    assert_eq!(bundle(to_bundle(&given, None)).unwrap(), given);
}

#[test]
fn mask_leaves_only_the_trust_domain() {
    let masked = to_bundle(&full(), Some(types::BundleMask::default()));
    assert_eq!(masked, types::Bundle { trust_domain: "example.org".to_owned(), ..Default::default() });
}

#[test]
fn malformed_bundles_are_refused_by_name() {
    let sent = || to_bundle(&full(), None);
    let certificate = types::X509Certificate { asn1: b"no".to_vec(), tainted: false };
    let key = |key_id: &str, public_key: &[u8]| types::JwtKey {
        key_id: key_id.to_owned(),
        public_key: public_key.to_vec(),
        ..Default::default()
    };
    for (bad, problem) in [
        (types::Bundle { trust_domain: String::new(), ..sent() }, "bundle's trust_domain is no trust domain"),
        (types::Bundle { x509_authorities: vec![certificate], ..sent() }, "x509 authority is malformed"),
        (types::Bundle { jwt_authorities: vec![key("", b"no")], ..sent() }, "missing jwt authority's key_id"),
        (
            types::Bundle { jwt_authorities: vec![key("two", b"no")], ..sent() },
            "jwt authority `two` has a malformed public key",
        ),
        (types::Bundle { refresh_hint: -1, ..sent() }, "refresh_hint must not be negative: -1"),
    ] {
        assert_eq!(bundle(bad).expect_err(problem).to_string(), problem);
    }
}
