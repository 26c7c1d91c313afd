//! Bundles: every row of the standard's checklist that concerns reading and writing one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{sync::Arc, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde_json::{Value, json};

use super::{Bundle, BundleError, BundleSet, JwtAuthority};
use crate::{
    KeyKind, PrivateKey, PublicKey,
    testing::{TestCa, authority, td},
};

fn jwt_authority(key_id: &str, kind: KeyKind) -> JwtAuthority {
    let public_key = PrivateKey::generate(kind).unwrap().public_key().clone();
    JwtAuthority { key_id: key_id.into(), public_key, expires_at: None, tainted: false }
}

fn of_spki(key_id: &str, spki: &[u8]) -> JwtAuthority {
    let public_key = PublicKey::from_spki_der(spki).unwrap();
    JwtAuthority { key_id: key_id.into(), public_key, expires_at: None, tainted: false }
}

/// Two CAs and two JWT keys.
fn full() -> Bundle {
    Bundle {
        x509_authorities: vec![TestCa::root("1").x509_authority(), TestCa::root("2").x509_authority()],
        jwt_authorities: vec![jwt_authority("a", KeyKind::EcP256), jwt_authority("b", KeyKind::EcP384)],
        refresh_hint: Some(Duration::from_secs(300)),
        sequence_number: 7,
        ..Bundle::empty(td("td"))
    }
}

fn document(bundle: &Bundle) -> Value {
    serde_json::from_str(&bundle.to_spiffe_json()).unwrap()
}

fn parse(document: &Value) -> Result<Bundle, BundleError> {
    Bundle::parse_spiffe_json(td("td"), document.to_string().as_bytes())
}

#[test]
fn tdb_01_trust_domain_is_beside_the_document_not_in_it() {
    let text = full().to_spiffe_json();
    assert!(!text.contains("\"td\"") && !text.contains("trust_domain"));
    assert_eq!(Bundle::parse_spiffe_json(td("other"), text.as_bytes()).unwrap().trust_domain, td("other"));
}

#[test]
fn spiffe_document_survives_the_round_trip() {
    let bundle = full();
    assert_eq!(parse(&document(&bundle)).unwrap(), bundle);
    let empty = Bundle::empty(td("td"));
    assert_eq!(parse(&document(&empty)).unwrap(), empty);
    assert_eq!(empty.to_spiffe_json(), "{\n    \"keys\": []\n}");
}

#[test]
fn keys_of_every_kind_survive_the_round_trip() {
    let p521 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let rsa = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
    let spki = |pkcs8: &[u8]| PrivateKey::from_pkcs8_der(pkcs8).unwrap().public_key().spki_der().to_vec();
    let mut bundle = Bundle::empty(td("td"));
    bundle.jwt_authorities = vec![
        of_spki("p521", &spki(p521.serialized_der())),
        of_spki("ed25519", &spki(ed25519.serialized_der())),
        of_spki("rsa", &spki(rsa.as_ref())),
    ];
    assert_eq!(parse(&document(&bundle)).unwrap(), bundle);
    assert_eq!(Bundle::parse_jwks(td("td"), bundle.to_jwks().as_bytes()).unwrap(), bundle);
}

#[test]
fn tdb_02_members_that_are_not_known_do_not_matter() {
    let mut document = document(&full());
    document["extra"] = json!({"a": [1]});
    document["keys"][0]["extra"] = json!("x");
    document["keys"][2]["key_ops"] = json!(["verify"]);
    assert_eq!(parse(&document).unwrap(), full_of(&document));
}

/// The bundle that the document stands for, read without what was added to it.
fn full_of(document: &Value) -> Bundle {
    let mut plain = document.clone();
    plain.as_object_mut().unwrap().remove("extra");
    parse(&plain).unwrap()
}

#[test]
fn tdb_03_sequence_is_a_64_bit_number() {
    for number in [0, 1, 1 << 63, u64::MAX] {
        assert_eq!(parse(&json!({"keys": [], "spiffe_sequence": number})).unwrap().sequence_number, number);
    }
    for sequence in ["\"1\"", "1.0", "1.5", "-1", "18446744073709551616", "null", "[1]", "true"] {
        let text = format!("{{\"keys\": [], \"spiffe_sequence\": {sequence}}}");
        let outcome = Bundle::parse_spiffe_json(td("td"), text.as_bytes());
        assert!(matches!(outcome, Err(BundleError::Member { member: "spiffe_sequence", .. })), "{sequence}");
    }
    assert_eq!(document(&full())["spiffe_sequence"], 7);
}

#[test]
fn tdb_04_refresh_hint_is_a_whole_number_of_seconds() {
    assert_eq!(document(&full())["spiffe_refresh_hint"], 300);
    let hint = |value: Value| parse(&json!({"keys": [], "spiffe_refresh_hint": value}));
    assert_eq!(hint(json!(60)).unwrap().refresh_hint, Some(Duration::from_secs(60)));
    for value in [json!("60"), json!(1.5), json!(-1)] {
        assert!(matches!(hint(value), Err(BundleError::Member { member: "spiffe_refresh_hint", .. })));
    }
    assert_eq!(parse(&json!({"keys": []})).unwrap().refresh_hint, None);
}

#[test]
fn tdb_05_keys_must_be_there() {
    for document in
        [json!({}), json!({"keys": null}), json!({"keys": {}}), json!({"keys": "x"}), json!({"keys": [1]})]
    {
        assert!(matches!(parse(&document), Err(BundleError::Member { member: "keys", .. })), "{document}");
    }
    assert!(parse(&json!({"keys": []})).is_ok());
}

#[test]
fn tdb_06_elements_of_unknown_type_or_use_are_passed_over() {
    let good = full();
    let mut with_more = document(&good);
    let keys = with_more["keys"].as_array_mut().unwrap();
    let x5c = keys[0]["x5c"].clone();
    keys.extend([
        json!({"use": "jwt-svid", "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA"}),
        json!({"use": "x509-svid", "kty": "AKP", "x5c": x5c}),
        json!({"use": "jwt-svid", "kty": "oct", "kid": "s", "k": "AAAA"}),
        json!({"use": "jwt-svid", "kty": "EC", "crv": "secp256k1", "kid": "c", "x": "AA", "y": "AA"}),
        json!({"use": "jwt-svid", "kty": 1, "kid": "n"}),
        json!({"use": "jwt-svid", "kid": "no-type"}),
        json!({"use": "wit-svid", "kty": "EC", "kid": "w", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"use": "sig", "kty": "EC"}),
        json!({"use": "enc"}),
        json!({"use": 1}),
    ]);
    assert_eq!(parse(&with_more).unwrap(), good);
}

#[test]
fn tdb_07_elements_without_a_use_of_the_exact_name_are_passed_over() {
    for usage in [json!(null), json!("X509-SVID"), json!("Jwt-Svid"), json!(""), json!("jwt-svid ")] {
        let mut document = document(&full());
        for jwk in document["keys"].as_array_mut().unwrap() {
            match &usage {
                Value::Null => jwk.as_object_mut().unwrap().remove("use"),
                usage => jwk.as_object_mut().unwrap().insert("use".into(), usage.clone()),
            };
        }
        let bundle = parse(&document).unwrap();
        assert!(bundle.x509_authorities.is_empty() && bundle.jwt_authorities.is_empty(), "{usage}");
    }
}

#[test]
fn tdb_09_every_jwk_has_type_and_use_and_nothing_undefined() {
    for jwk in document(&full())["keys"].as_array().unwrap() {
        let members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match jwk["use"].as_str().unwrap() {
            "x509-svid" => &["crv", "kty", "use", "x", "x5c", "y"],
            _ => &["crv", "kid", "kty", "use", "x", "y"],
        };
        assert_eq!(members, expected);
    }
}

#[test]
fn tdb_10_fed_04_bundles_of_two_domains_are_never_merged() {
    let mut set: BundleSet = [Arc::new(full())].into_iter().collect();
    set.insert(Arc::new(Bundle::empty(td("other"))));
    assert_eq!(set.len(), 2);
    assert!(set.bundle(&td("other")).unwrap().x509_authorities.is_empty());
    // A second bundle of a domain takes the place of the first.
    set.insert(Arc::new(Bundle::empty(td("td"))));
    assert!(set.bundle(&td("td")).unwrap().x509_authorities.is_empty());
    assert_eq!(
        set.iter().map(|bundle| bundle.trust_domain.name().to_owned()).collect::<Vec<_>>(),
        ["other", "td"]
    );
}

#[test]
fn xsv_20_ca_has_exactly_one_certificate_in_standard_base64_and_no_key_id() {
    let bundle = full();
    let document = document(&bundle);
    let jwk = &document["keys"][0];
    assert_eq!(jwk["use"], "x509-svid");
    assert!(jwk.get("kid").is_none());
    assert_eq!(jwk["x5c"].as_array().unwrap().len(), 1);
    let der = STANDARD.decode(jwk["x5c"][0].as_str().unwrap()).unwrap();
    assert_eq!(der, bundle.x509_authorities[0].certificate().to_vec());
}

#[test]
fn xsv_20_certificate_in_base64url_is_refused() {
    // Certificates long enough to surely have a character that differs between the alphabets.
    let der = TestCa::root("1").der();
    let encoded = URL_SAFE.encode(&der);
    assert!(encoded.contains(['-', '_']));
    let outcome = parse(&json!({"keys": [{"use": "x509-svid", "kty": "EC", "x5c": [encoded]}]}));
    assert!(matches!(outcome, Err(BundleError::Member { member: "x5c", .. })));
}

#[test]
fn xsv_21_missing_and_empty_certificate_lists_are_passed_over_and_of_many_the_first_counts() {
    let (first, second) = (TestCa::root("1"), TestCa::root("2"));
    let x5c = |ca: &TestCa| STANDARD.encode(ca.der());
    let document = json!({"keys": [
        {"use": "x509-svid", "kty": "EC"},
        {"use": "x509-svid", "kty": "EC", "x5c": []},
        {"use": "x509-svid", "kty": "EC", "x5c": null},
        {"use": "x509-svid", "kty": "EC", "x5c": [x5c(&first), x5c(&second)]},
        {"use": "x509-svid", "kty": "EC", "x5c": [x5c(&first)]},
    ]});
    assert_eq!(parse(&document).unwrap().x509_authorities, [first.x509_authority()]);
}

#[test]
fn malformed_elements_of_a_known_kind_refuse_the_bundle() {
    let point = "A".repeat(43);
    for jwk in [
        json!({"use": "x509-svid", "kty": "EC", "x5c": "x"}),
        json!({"use": "x509-svid", "kty": "EC", "x5c": [1]}),
        json!({"use": "x509-svid", "kty": "EC", "x5c": ["!"]}),
        json!({"use": "x509-svid", "kty": "EC", "x5c": ["MAA="]}),
        json!({"use": "jwt-svid", "kty": "EC", "kid": "k", "crv": "P-256"}),
        json!({"use": "jwt-svid", "kty": "EC", "kid": "k", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"use": "jwt-svid", "kty": "EC", "kid": "k", "crv": "P-256", "x": point, "y": point}),
        json!({"use": "jwt-svid", "kty": "EC", "kid": "k", "crv": "P-256", "x": "AA==", "y": "AA=="}),
        json!({"use": "jwt-svid", "kty": "RSA", "kid": "k", "n": "AQAB"}),
        json!({"use": "jwt-svid", "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "AA"}),
    ] {
        assert!(parse(&json!({"keys": [jwk]})).is_err(), "{jwk}");
    }
}

#[test]
fn jsv_14_jwt_authorities_have_use_and_key_id() {
    let document = document(&full());
    assert_eq!(document["keys"][2]["use"], "jwt-svid");
    assert_eq!(document["keys"][2]["kid"], "a");
    assert_eq!(document["keys"][3]["kid"], "b");
}

#[test]
fn jsv_14_jwt_key_without_key_id_is_passed_over() {
    let mut document = document(&full());
    document["keys"][2].as_object_mut().unwrap().remove("kid");
    document["keys"][3]["kid"] = json!("");
    assert!(parse(&document).unwrap().jwt_authorities.is_empty());
}

#[test]
fn jsv_15_only_elements_for_jwt_become_jwt_authorities() {
    let mut document = document(&full());
    document["keys"][0]["kid"] = json!("x509");
    document["keys"][2]["use"] = json!("wit-svid");
    let ids =
        |bundle: &Bundle| bundle.jwt_authorities.iter().map(|key| key.key_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&parse(&document).unwrap()), ["b"]);
    assert_eq!(ids(&Bundle::parse_jwks(td("td"), document.to_string().as_bytes()).unwrap()), ["b"]);
}

#[test]
fn duplicate_members_are_refused() {
    for text in [
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[],"spiffe_sequence":1,"spiffe_sequence":2}"#,
        r#"{"keys":[{"use":"x","use":"y"}]}"#,
    ] {
        let outcome = Bundle::parse_spiffe_json(td("td"), text.as_bytes());
        assert!(matches!(outcome, Err(BundleError::Json(_))), "{text}");
        assert!(Bundle::parse_jwks(td("td"), text.as_bytes()).is_err());
    }
}

#[test]
fn documents_that_are_no_json_are_refused() {
    for text in ["", "<html>", "[]", "null", "{\"keys\":[]} x"] {
        assert!(
            matches!(Bundle::parse_spiffe_json(td("td"), text.as_bytes()), Err(BundleError::Json(_))),
            "{text}"
        );
    }
}

#[test]
fn workload_api_key_set_has_no_use_and_needs_none() {
    let bundle = Bundle { x509_authorities: vec![], refresh_hint: None, sequence_number: 0, ..full() };
    let text = bundle.to_jwks();
    assert!(!text.contains("\"use\""));
    assert!(text.starts_with("{\n    \"keys\": [\n        {\n            \"kty\": \"EC\""), "{text}");
    assert_eq!(Bundle::parse_jwks(td("td"), text.as_bytes()).unwrap(), bundle);
    // As a SPIFFE bundle document it says nothing.
    assert!(Bundle::parse_spiffe_json(td("td"), text.as_bytes()).unwrap().jwt_authorities.is_empty());
}

#[test]
fn workload_api_key_set_with_other_uses_is_read_without_them() {
    for usage in [json!("x509-svid"), json!("sig"), json!("wit-svid"), json!(1), json!(null)] {
        let mut document: Value = serde_json::from_str(&full().to_jwks()).unwrap();
        document["keys"][0]["use"] = usage.clone();
        let bundle = Bundle::parse_jwks(td("td"), document.to_string().as_bytes()).unwrap();
        assert_eq!(bundle.jwt_authorities.len(), 1, "{usage}");
    }
}

#[test]
fn pem_and_der_are_read_and_written_alike() {
    let bundle = Bundle { x509_authorities: full().x509_authorities, ..Bundle::empty(td("td")) };
    assert_eq!(Bundle::parse_pem(td("td"), bundle.to_pem().as_bytes()).unwrap(), bundle);
    assert_eq!(Bundle::parse_x509_der(td("td"), &bundle.x509_der()).unwrap(), bundle);
    assert_eq!(Bundle::parse_x509_der(td("td"), &[]).unwrap(), Bundle::empty(td("td")));
    let commented = format!("# our roots\n{}\nthe end\n", bundle.to_pem());
    assert_eq!(Bundle::parse_pem(td("td"), commented.as_bytes()).unwrap(), bundle);
}

#[test]
fn certificate_that_occurs_twice_counts_once() {
    let ca = TestCa::root("1");
    let twice = [ca.der().to_vec(), ca.der().to_vec()].concat();
    assert_eq!(Bundle::parse_x509_der(td("td"), &twice).unwrap().x509_authorities.len(), 1);
}

#[test]
fn bad_pem_and_der_are_refused() {
    for text in ["", "x", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"] {
        assert!(
            matches!(Bundle::parse_pem(td("td"), text.as_bytes()), Err(BundleError::NoCertificates)),
            "{text}"
        );
    }
    let unfinished = "-----BEGIN CERTIFICATE-----\nMAA=\n";
    assert!(matches!(Bundle::parse_pem(td("td"), unfinished.as_bytes()), Err(BundleError::Pem(_))));
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert!(matches!(Bundle::parse_pem(td("td"), empty.as_bytes()), Err(BundleError::Certificate(_))));
    let good = TestCa::root("1").der().to_vec();
    for der in [&good[1..], &good[..good.len() - 1], &[&good[..], &[0]].concat()[..], &[0x30, 0]] {
        assert!(matches!(Bundle::parse_x509_der(td("td"), der), Err(BundleError::Certificate(_))));
    }
}

#[test]
fn authority_knows_its_validity() {
    let ca = TestCa::of(authority("1")).x509_authority();
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(ca.not_before(), crate::testing::now() - 14 * day);
    assert_eq!(ca.not_after(), crate::testing::now() + 16 * day);
    assert!(!ca.is_tainted() && ca.clone().tainted(true).is_tainted());
    assert_ne!(ca.clone().tainted(true), ca);
}
