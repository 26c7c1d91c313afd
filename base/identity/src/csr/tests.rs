//! Certificate requests: our own, other people's, and bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rcgen::{CertificateParams, SanType};

use super::{CertificateRequest, CsrError};
use crate::{KeyKind, PrivateKey, SpiffeId, testing::uri};

fn key() -> PrivateKey {
    PrivateKey::generate(KeyKind::EcP256).unwrap()
}

/// A request made by another implementation.
fn foreign(names: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn own_requests_are_read() {
    let id = SpiffeId::parse("spiffe://td/a").unwrap();
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa { bits: 2048 }] {
        let key = PrivateKey::generate(kind).unwrap();
        let plain = CertificateRequest::parse_der(&CertificateRequest::create(&key, None).unwrap()).unwrap();
        assert_eq!(plain.public_key(), key.public_key());
        assert!(plain.uri_names().is_empty() && plain.dns_names().is_empty());
        let named =
            CertificateRequest::parse_der(&CertificateRequest::create(&key, Some(&id)).unwrap()).unwrap();
        assert_eq!(named.uri_names(), ["spiffe://td/a"]);
    }
}

#[test]
fn subject_is_the_one_spire_writes() {
    let request = CertificateRequest::parse_der(&CertificateRequest::create(&key(), None).unwrap()).unwrap();
    let country = [0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2, b'U', b'S'];
    assert!(request.subject_der().windows(country.len()).any(|window| window == country));
    assert!(request.subject_der().windows(5).any(|window| window == b"SPIRE"));
    let position = |text: &[u8]| request.subject_der().windows(text.len()).position(|window| window == text);
    assert!(position(b"US") < position(b"SPIRE"), "the country comes first");
}

#[test]
fn requests_of_every_key_kind_are_read() {
    let p521 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    for pair in [p521, ed25519] {
        let der = CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec();
        let request = CertificateRequest::parse_der(&der).unwrap();
        let key = PrivateKey::from_pkcs8_der(pair.serialized_der()).unwrap();
        assert_eq!(request.public_key(), key.public_key());
        let own = CertificateRequest::create(&key, None).unwrap();
        assert_eq!(CertificateRequest::parse_der(&own).unwrap().public_key(), key.public_key());
    }
}

#[test]
fn names_of_foreign_requests_are_read() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let der = foreign(vec![
        dns("a.example"),
        uri("https://x"),
        dns("b.example"),
        SanType::IpAddress([1, 2, 3, 4].into()),
    ]);
    let request = CertificateRequest::parse_der(&der).unwrap();
    assert_eq!(request.uri_names(), ["https://x"]);
    assert_eq!(request.dns_names(), ["a.example", "b.example"]);
}

#[test]
fn xsv_01_cve_2022_40716_request_with_two_uri_names_is_refused() {
    for names in [
        ["spiffe://td/a", "spiffe://td/b"],
        ["spiffe://td/a", "https://x"],
        ["spiffe://td/a", "spiffe://td/a"],
    ] {
        let outcome = CertificateRequest::parse_der(&foreign(names.map(uri).to_vec()));
        assert!(matches!(outcome, Err(CsrError::UriNames(2))), "{names:?}");
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let der = CertificateRequest::create(&key(), Some(&SpiffeId::parse("spiffe://td/a").unwrap())).unwrap();
    for index in 0..der.len() {
        let mut altered = der.clone();
        altered[index] ^= 1;
        assert!(CertificateRequest::parse_der(&altered).is_err(), "byte {index}");
    }
}

#[test]
fn request_signed_by_another_key_is_refused() {
    let (one, other) = (CertificateRequest::create(&key(), None).unwrap(), key());
    // The key is in the middle, at the same place in every request of its kind.
    let spki = one.windows(2).position(|window| window == [0x30, 0x59]).unwrap();
    let mut swapped = one;
    swapped[spki..spki + 91].copy_from_slice(other.public_key().spki_der());
    assert!(matches!(CertificateRequest::parse_der(&swapped), Err(CsrError::Signature)));
}

#[test]
fn algorithm_that_does_not_fit_the_key_is_refused() {
    // ecdsa-with-SHA256 becomes sha256WithRSAEncryption, of another length, so the frame is made anew.
    let der = CertificateRequest::create(&key(), None).unwrap();
    let ecdsa = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let rsa = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11, 5, 0];
    let position = der.windows(ecdsa.len()).position(|window| window == ecdsa).unwrap();
    let body =
        [&der[4 - usize::from(der[1] == 0x81)..position], &rsa, &der[position + ecdsa.len()..]].concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let header =
        if length[0] == 0 { vec![0x30, 0x81, length[1]] } else { vec![0x30, 0x82, length[0], length[1]] };
    let outcome = CertificateRequest::parse_der(&[header, body].concat());
    assert!(matches!(outcome, Err(CsrError::Algorithm { .. })), "{outcome:?}");
}

#[test]
fn bad_requests_are_refused() {
    let good = CertificateRequest::create(&key(), None).unwrap();
    let trailing = [&good[..], &[0]].concat();
    for der in
        [&[][..], &[0x30, 0], &[0x30, 0x80], &good[..good.len() - 1], &good[1..], &trailing, b"-----BEGIN"]
    {
        assert!(matches!(CertificateRequest::parse_der(der), Err(CsrError::Malformed(_))));
    }
}

#[test]
fn request_of_more_than_16_kib_is_refused_unread() {
    let outcome = CertificateRequest::parse_der(&vec![0x30; CertificateRequest::MAX_BYTES + 1]);
    assert!(matches!(outcome, Err(CsrError::TooLarge(16385))));
}

#[test]
fn request_to_mint_names_an_identity_and_leaves_the_subject_to_the_server() {
    let id = SpiffeId::parse("spiffe://td/a").unwrap();
    let der = CertificateRequest::create_to_mint(&key(), &id, &["a.example", "*.b.example"]).unwrap();
    let request = CertificateRequest::parse_der(&der).unwrap();
    assert_eq!(request.identity().unwrap(), id);
    assert_eq!(request.dns_names(), ["a.example", "*.b.example"]);
    assert!(!request.has_subject());
    let own = CertificateRequest::create(&key(), Some(&id)).unwrap();
    assert!(CertificateRequest::parse_der(&own).unwrap().has_subject());
    let not_ascii = CertificateRequest::create_to_mint(&key(), &id, &["bücher.example"]);
    assert!(matches!(not_ascii, Err(CsrError::Encode(_))));
}

#[test]
fn request_without_an_id_of_its_own_speaks_for_nobody() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let identity = |names| CertificateRequest::parse_der(&foreign(names)).unwrap().identity();
    assert!(matches!(identity(vec![]), Err(CsrError::NoUriName)));
    assert!(matches!(identity(vec![dns("a.example")]), Err(CsrError::NoUriName)));
    for other in ["https://td/a", "spiffe://td/a?b", "spiffe://TD/a", "spiffe://td/a/"] {
        assert!(matches!(identity(vec![uri(other)]), Err(CsrError::SpiffeId(_))), "{other}");
    }
    for bad in ["a..b", "a.*.b", "under_score"] {
        assert!(matches!(identity(vec![uri("spiffe://td/a"), dns(bad)]), Err(CsrError::DnsName(_))), "{bad}");
    }
}
