//! Files that no tool at hand writes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use der::Tag;

use super::*;
use crate::{KeyKind, Keystore, PrivateKey};

fn boxed(value: &impl Encode) -> ContextSpecific<Any> {
    ContextSpecific {
        tag_number: der::TagNumber(0),
        tag_mode: der::TagMode::Explicit,
        value: Any::from_der(&value.to_der().unwrap()).unwrap(),
    }
}

fn content(inside: &impl Encode) -> ContentInfo {
    let inside = OctetString::new(inside.to_der().unwrap()).unwrap();
    ContentInfo { kind: DATA, content: boxed(&inside) }
}

/// Keys in the clear, sealed by the password `sesam` with so many iterations.
fn keystore(keys: &[PrivateKey], iterations: u32) -> Vec<u8> {
    let bag = |key: &PrivateKey| Bag {
        kind: KEY_BAG,
        value: boxed(&Any::from_der(key.pkcs8_der()).unwrap()),
        attributes: None,
    };
    let content = content(&vec![content(&keys.iter().map(bag).collect::<Vec<_>>())]);
    let secret = Secret::forms("sesam").remove(0);
    let salt = OctetString::new(*b"salted..").unwrap();
    let made = (salt.as_bytes(), iterations.min(9));
    let key = derive(Hash::Sha256, Purpose::Mac, &secret, made, Hash::Sha256.length());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), data(&content).unwrap().as_bytes());
    let algorithm = AlgorithmIdentifierOwned {
        oid: rfc5912::ID_SHA_256,
        parameters: Some(Any::new(Tag::Null, []).unwrap()),
    };
    let mac = DigestInfo { algorithm, digest: OctetString::new(tag.as_ref()).unwrap() };
    Pfx { version: 3, content, mac: Some(MacData { mac, salt, iterations }) }.to_der().unwrap()
}

#[test]
fn keystore_with_several_keys_does_not_say_which() {
    let keys = [(), ()].map(|()| PrivateKey::generate(KeyKind::EcP256).unwrap());
    let opened = Keystore::open(&keystore(&keys, 2), "sesam");
    assert!(matches!(opened, Err(KeystoreError::SeveralKeys(2))), "{opened:?}");
}

#[test]
fn key_without_its_certificate_is_of_no_use() {
    let keys = [PrivateKey::generate(KeyKind::EcP256).unwrap()];
    let opened = Keystore::open(&keystore(&keys, 1), "sesam");
    assert!(matches!(opened, Err(KeystoreError::NoCertificate)), "{opened:?}");
}

#[test]
fn keystore_cannot_keep_us_busy() {
    let opened = Keystore::open(&keystore(&[], u32::MAX), "sesam");
    assert!(matches!(opened, Err(KeystoreError::Iterations(u32::MAX))), "{opened:?}");
}
