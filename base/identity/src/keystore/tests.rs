//! Keystores as OpenSSL 3.0 writes them, and what is wrong with others. The password is `sesam`.
//!
//! All hold `leaf.der`, its key and `root.der`: `openssl pkcs12 -export -in leaf.pem -inkey leaf.key -certfile root.pem`
//! with `-legacy` (old), `-legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-2DES` (rare), `-certpbe NONE -keypbe
//! AES-128-CBC -macalg sha512` (unicode), an empty password (empty), `-nomac` (nomac); nokey has `-nokeys`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Keystore, KeystoreError, Truststore};

const NEW: &[u8] = include_bytes!("tests/new.p12");
const OLD: &[u8] = include_bytes!("tests/old.p12");
const RARE: &[u8] = include_bytes!("tests/rare.p12");
const UNICODE: &[u8] = include_bytes!("tests/unicode.p12");
const EMPTY: &[u8] = include_bytes!("tests/empty.p12");
const NOMAC: &[u8] = include_bytes!("tests/nomac.p12");
const NOKEY: &[u8] = include_bytes!("tests/nokey.p12");
const LEAF: &[u8] = include_bytes!("tests/leaf.der");
const ROOT: &[u8] = include_bytes!("tests/root.der");

#[test]
fn keystores_of_every_age_are_opened_leaf_first() {
    for (keystore, password, what) in [
        (NEW, "sesam", "AES-256, SHA-256"),
        (OLD, "sesam", "RC2 of 40 bits, 3DES, SHA-1"),
        (RARE, "sesam", "RC2 of 128 bits, 3DES of two keys"),
        (UNICODE, "sésam", "AES-128, SHA-512, certificates in the clear"),
        (EMPTY, "", "an empty password"),
    ] {
        let Keystore { chain, key } = Keystore::open(keystore, password).expect(what);
        assert_eq!(chain.iter().map(|der| der.as_ref()).collect::<Vec<_>>(), [LEAF, ROOT], "{what}");
        assert!(key.sign(b"message").is_ok(), "{what}");
    }
}

#[test]
fn wrong_password_is_told_apart_from_a_torn_file() {
    for keystore in [NEW, OLD, RARE] {
        for password in ["", "Sesam", "sesam "] {
            assert!(matches!(Keystore::open(keystore, password), Err(KeystoreError::Password)));
        }
        for length in [0, 1, keystore.len() / 2, keystore.len() - 1] {
            let torn = Keystore::open(&keystore[..length], "sesam");
            assert!(matches!(torn, Err(KeystoreError::Der(_))), "{length}: {torn:?}");
        }
    }
}

#[test]
fn altered_byte_is_noticed_wherever_it_is() {
    for at in (0..NEW.len()).step_by(7) {
        let mut altered = NEW.to_vec();
        altered[at] ^= 1;
        // A friendly name is covered by the MAC like all the rest.
        assert!(Keystore::open(&altered, "sesam").is_err(), "{at}");
    }
}

#[test]
fn keystore_without_a_mac_or_a_key_is_refused_by_its_fault() {
    assert!(matches!(Keystore::open(NOMAC, "sesam"), Err(KeystoreError::NoMac)));
    assert!(matches!(Keystore::open(NOKEY, "sesam"), Err(KeystoreError::NoKey)));
    assert!(matches!(Keystore::open(LEAF, "sesam"), Err(KeystoreError::Der(_))));
}

#[test]
fn debug_hides_the_key() {
    let keystore = Keystore::open(NEW, "sesam").unwrap();
    let key = keystore.key.to_pem();
    assert!(!format!("{keystore:?}").contains(key.lines().nth(1).unwrap()));
}

#[test]
fn what_is_written_is_read_again_and_looks_different_each_time() {
    for password in ["sesam", "sésam", ""] {
        let keystore = Keystore::open(NEW, "sesam").unwrap();
        let written = keystore.seal(password).unwrap();
        assert_ne!(written, keystore.seal(password).unwrap());
        let again = Keystore::open(&written, password).unwrap();
        assert_eq!(again.chain, keystore.chain);
        assert_eq!(again.key.pkcs8_der(), keystore.key.pkcs8_der());
        assert!(matches!(Keystore::open(&written, "other"), Err(KeystoreError::Password)));
    }
}

#[test]
fn truststore_holds_its_certificates_and_no_key() {
    let certificates = vec![("a".to_owned(), ROOT.to_vec().into()), ("b".to_owned(), LEAF.to_vec().into())];
    let written = Truststore { certificates }.seal("sesam").unwrap();
    assert!(matches!(Keystore::open(&written, "sesam"), Err(KeystoreError::NoKey)));
    let bags = super::pfx::open(&written, "sesam").unwrap();
    assert_eq!(bags.certificates.iter().map(|der| der.as_ref()).collect::<Vec<_>>(), [ROOT, LEAF]);
    assert!(!written.windows(ROOT.len()).any(|window| window == ROOT), "certificates are encrypted");
}
