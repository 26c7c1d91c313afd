//! Pins as people write them, good and bad, and the key that each is of.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::SpkiPin;
use crate::{KeyKind, PrivateKey};

#[test]
fn pin_of_each_hash_is_of_its_key_and_of_no_other() {
    let [key, other] = [(), ()].map(|()| PrivateKey::generate(KeyKind::EcP256).unwrap());
    for (name, algorithm) in
        [("sha256", &digest::SHA256), ("sha384", &digest::SHA384), ("SHA512", &digest::SHA512)]
    {
        let hash = digest::digest(algorithm, key.public_key().spki_der());
        let pin: SpkiPin = format!("{name}:{}", STANDARD.encode(hash)).parse().unwrap();
        assert!(pin.is_of(key.public_key()), "{name}");
        assert!(!pin.is_of(other.public_key()), "{name}");
    }
}

#[test]
fn pin_is_written_as_it_is_read() {
    let pin = SpkiPin::of(PrivateKey::generate(KeyKind::EcP384).unwrap().public_key());
    assert_eq!(pin.to_string().parse(), Ok(pin));
}

#[test]
fn these_are_no_pins_and_ghostunnel_says_why() {
    let zeros = |length| STANDARD.encode(vec![0; length]);
    for (text, says) in [
        ("".to_owned(), "invalid pin \"\": expected format <algo>:<base64-digest>"),
        ("abc".to_owned(), "invalid pin \"abc\": expected format <algo>:<base64-digest>"),
        (
            "sha1:AAAA".to_owned(),
            "invalid pin \"sha1:AAAA\": unsupported hash algorithm \"sha1\" (supported: sha256, sha384, sha512)",
        ),
        ("sha256:?".to_owned(), "invalid pin \"sha256:?\": base64 decode failed"),
        ("sha256:".to_owned(), "invalid pin \"sha256:\": expected 32 bytes for sha256, got 0"),
        ("Sha256:AAAA".to_owned(), "invalid pin \"Sha256:AAAA\": expected 32 bytes for sha256, got 3"),
    ] {
        assert_eq!(text.parse::<SpkiPin>().unwrap_err().to_string(), says);
    }
    for (name, length) in [("sha256", 33), ("sha256", 48), ("sha384", 32), ("sha512", 63)] {
        let text = format!("{name}:{}", zeros(length));
        assert!(text.parse::<SpkiPin>().unwrap_err().to_string().ends_with(&format!("got {length}")));
    }
    let unpadded = zeros(32).replace('=', "");
    let error = format!("sha256:{unpadded}").parse::<SpkiPin>().unwrap_err();
    assert!(error.source().is_some(), "{error}");
}
