//! Keys: which are read, which refused, and that signatures are what they say.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use aws_lc_rs::{
    encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der},
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use rustls_pki_types::PrivateKeyDer;

use super::{KeyError, KeyKind, PrivateKey, PublicKey};

#[test]
fn generated_keys_sign_and_survive_pkcs8() {
    for (kind, algorithm) in [
        (KeyKind::EcP256, &signature::ECDSA_P256_SHA256_ASN1),
        (KeyKind::EcP384, &signature::ECDSA_P384_SHA384_ASN1),
    ] {
        let key = PrivateKey::generate(kind).unwrap();
        let read = PrivateKey::from_pkcs8_der(key.pkcs8_der()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        assert_eq!(read.public_key().kind(), kind);
        let signature = read.sign(b"message").unwrap();
        assert!(key.public_key().has_signed(algorithm, b"message", &signature));
        assert!(!key.public_key().has_signed(algorithm, b"other", &signature));
        assert_eq!(key.to_rustls().secret_der(), key.pkcs8_der());
    }
}

#[test]
fn p521_ed25519_and_rsa_of_other_sizes_are_not_generated() {
    for kind in [KeyKind::EcP521, KeyKind::Ed25519, KeyKind::Rsa { bits: 1024 }, KeyKind::Rsa { bits: 2049 }]
    {
        assert!(matches!(PrivateKey::generate(kind), Err(KeyError::CannotGenerate(_))));
    }
}

#[test]
fn generated_rsa_key_has_its_size_and_signs() {
    let key = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).unwrap();
    assert_eq!(key.public_key().kind(), KeyKind::Rsa { bits: 2048 });
    let read = PrivateKey::from_pkcs8_der(key.pkcs8_der()).unwrap();
    assert_eq!(read.public_key(), key.public_key());
    let signature = read.sign(b"m").unwrap();
    assert!(key.public_key().has_signed(&signature::RSA_PKCS1_2048_8192_SHA256, b"m", &signature));
}

#[test]
fn keys_of_every_kind_are_read_and_sign() {
    let p521 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let rsa: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
    let cases: [(&[u8], KeyKind, &'static dyn signature::VerificationAlgorithm); 3] = [
        (p521.serialized_der(), KeyKind::EcP521, &signature::ECDSA_P521_SHA512_ASN1),
        (rsa.as_ref(), KeyKind::Rsa { bits: 2048 }, &signature::RSA_PKCS1_2048_8192_SHA256),
        (ed25519.as_ref(), KeyKind::Ed25519, &signature::ED25519),
    ];
    for (pkcs8, kind, algorithm) in cases {
        let key = PrivateKey::from_pkcs8_der(pkcs8).unwrap();
        assert_eq!(key.public_key().kind(), kind);
        assert!(key.public_key().has_signed(algorithm, b"m", &key.sign(b"m").unwrap()));
    }
}

#[test]
fn keys_in_the_older_forms_are_read_as_the_same_keys() {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    let sec1 = PrivateKeyDer::Sec1(sec1.as_ref().to_vec().into());
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    let expected = PrivateKey::from_pkcs8_der(pkcs8.as_ref()).unwrap();
    assert_eq!(PrivateKey::from_rustls(&sec1).unwrap().public_key(), expected.public_key());
    assert_eq!(PrivateKey::from_rustls(&expected.to_rustls()).unwrap().public_key(), expected.public_key());

    let expected = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).unwrap();
    // PKCS#8 wraps PKCS#1 in a header whose length is that of every key of this size.
    let pkcs1 = PrivateKeyDer::Pkcs1(expected.pkcs8_der()[26..].to_vec().into());
    let read = PrivateKey::from_rustls(&pkcs1).unwrap();
    assert_eq!(read.public_key(), expected.public_key());
    assert_eq!(read.pkcs8_der(), expected.pkcs8_der());
    for torn in [PrivateKeyDer::Sec1(vec![0x30].into()), PrivateKeyDer::Pkcs1(vec![0x30].into())] {
        assert!(matches!(PrivateKey::from_rustls(&torn), Err(KeyError::PrivateKey)));
    }
}

#[test]
fn bad_private_keys_are_refused() {
    let good = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let good = good.pkcs8_der();
    for der in [&[][..], &[0x30, 0], &good[..good.len() - 1], &good[1..], b"-----BEGIN PRIVATE KEY-----"] {
        assert!(matches!(PrivateKey::from_pkcs8_der(der), Err(KeyError::PrivateKey)));
    }
}

#[test]
fn debug_hides_the_key() {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(EcP256, …)");
}

#[test]
fn public_key_is_kept_as_it_was() {
    let key = PrivateKey::generate(KeyKind::EcP384).unwrap();
    let read = PublicKey::from_spki_der(key.public_key().spki_der()).unwrap();
    assert_eq!(&read, key.public_key());
    assert_eq!(read.key_bytes().len(), 97);
}

#[test]
fn subject_key_id_is_the_sha1_of_the_key_bits() {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let spki = key.public_key().spki_der();
    let hash =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &spki[spki.len() - 65..]);
    assert_eq!(key.public_key().subject_key_id(), hash.as_ref());
}

#[test]
fn malformed_public_keys_are_refused() {
    let good = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().spki_der().to_vec();
    let trailing = [&good[..], &[0]].concat();
    for der in [&[][..], &[0x30, 0], &good[..good.len() - 1], &good[1..], &trailing] {
        assert!(matches!(PublicKey::from_spki_der(der), Err(KeyError::PublicKey(_))));
    }
}

#[test]
fn points_off_the_curve_and_in_other_forms_are_refused() {
    let good = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().spki_der().to_vec();
    let point = good.len() - 65;
    let mut off_curve = good.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    let mut hybrid = good.clone();
    hybrid[point] = 6 + (good[good.len() - 1] & 1);
    let mut infinity = good[..point].to_vec();
    infinity[1] -= 64;
    infinity[point - 2] = 2;
    infinity.push(0);
    let mut compressed = good[..point + 33].to_vec();
    compressed[1] -= 32;
    compressed[point - 2] = 34;
    compressed[point] = 2 + (good[good.len() - 1] & 1);
    for der in [off_curve, hybrid, infinity, compressed] {
        let outcome = PublicKey::from_spki_der(&der);
        assert!(matches!(outcome, Err(KeyError::InvalidValue(KeyKind::EcP256))), "{outcome:?}");
    }
}

#[test]
fn unsupported_public_keys_are_named() {
    // secp256k1, and RSA of 1024 bits.
    let mut k1 = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().spki_der().to_vec();
    let p256 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let position = k1.windows(p256.len()).position(|window| window == p256).unwrap();
    k1[position + p256.len() - 1] = 6;
    assert!(matches!(PublicKey::from_spki_der(&k1), Err(KeyError::Unsupported(_))));
    let modulus = [&[2, 0x81, 0x81, 0][..], &[0xc1; 128]].concat();
    let key = [&[0x30, 0x81, 0x89][..], &modulus, &[2, 3, 1, 0, 1]].concat();
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
    let spki = [&[0x30, 0x81, 0x9f][..], &algorithm, &[3, 0x81, 0x8d, 0], &key].concat();
    let error = PublicKey::from_spki_der(&spki).unwrap_err();
    assert!(error.to_string().contains("RSA of 1024 bits"), "{error}");
}
