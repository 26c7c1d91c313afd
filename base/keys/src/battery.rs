//! What every key manager must do, ours or foreign: an implementation's tests call [`run`].
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests that other crates run too")]

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use finial_identity::{KeyKind, PublicKey};
use futures_util::future::join_all;

use crate::{Key, KeyManager, KeysError};

/// Runs all tests on a manager without keys, and leaves it without keys.
///
/// # Panics
/// When the manager fails one, with the sentence that does not hold.
pub async fn run(keys: &dyn KeyManager) {
    an_unknown_id_has_no_key(keys).await;
    a_new_key_is_found_under_its_id(keys).await;
    keys_are_listed_by_id(keys).await;
    signatures_verify_with_the_public_key(keys).await;
    generating_again_replaces_the_key(keys).await;
    a_replaced_key_goes_on_signing(keys).await;
    a_kind_that_is_not_made_is_refused(keys).await;
    deleting_forgets_the_key(keys).await;
    many_may_generate_at_once(keys).await;
    debug_shows_no_key(keys).await;
    for key in keys.keys().await.unwrap() {
        keys.delete(key.id()).await.unwrap();
    }
    assert!(keys.keys().await.unwrap().is_empty(), "all keys can be deleted");
}

async fn an_unknown_id_has_no_key(keys: &dyn KeyManager) {
    assert!(keys.key("x509-CA-A").await.unwrap().is_none());
    assert!(keys.keys().await.unwrap().is_empty(), "the battery begins without keys");
    keys.delete("x509-CA-A").await.expect("deleting what is not there is no error");
}

async fn a_new_key_is_found_under_its_id(keys: &dyn KeyManager) {
    let made = keys.generate("x509-CA-A", KeyKind::EcP256).await.unwrap();
    assert_eq!(made.id(), "x509-CA-A");
    assert_eq!(made.public_key().kind(), KeyKind::EcP256);
    assert_eq!(public_key(keys, "x509-CA-A").await, *made.public_key());
}

async fn keys_are_listed_by_id(keys: &dyn KeyManager) {
    keys.generate("x509-CA-B", KeyKind::EcP384).await.unwrap();
    keys.generate("JWT-Signer-A", KeyKind::EcP256).await.unwrap();
    let listed = keys.keys().await.unwrap();
    let ids: Vec<_> = listed.iter().map(|key| key.id()).collect();
    assert_eq!(ids, ["JWT-Signer-A", "x509-CA-A", "x509-CA-B"]);
}

async fn signatures_verify_with_the_public_key(keys: &dyn KeyManager) {
    let kinds: [(&str, KeyKind, &'static dyn VerificationAlgorithm); 3] = [
        ("P-256", KeyKind::EcP256, &ECDSA_P256_SHA256_ASN1),
        ("P-384", KeyKind::EcP384, &ECDSA_P384_SHA384_ASN1),
        ("RSA", KeyKind::Rsa { bits: 2048 }, &RSA_PKCS1_2048_8192_SHA256),
    ];
    for (id, kind, algorithm) in kinds {
        let key = keys.generate(id, kind).await.unwrap();
        assert_eq!(key.public_key().kind(), kind);
        assert!(is_signed(&*key, b"message", algorithm).await, "{id} signs");
        let signature = key.sign(b"message").await.unwrap();
        let other = ParsedPublicKey::new(algorithm, key.public_key().spki_der()).unwrap();
        assert!(
            other.verify_sig(b"massage", &signature).is_err(),
            "{id} signs the message that it was given"
        );
        if let Some(local) = key.local() {
            assert_eq!(local.public_key(), key.public_key());
        }
        keys.delete(id).await.unwrap();
    }
}

async fn generating_again_replaces_the_key(keys: &dyn KeyManager) {
    let before = public_key(keys, "x509-CA-A").await;
    let made = keys.generate("x509-CA-A", KeyKind::EcP384).await.unwrap();
    assert_ne!(before, *made.public_key());
    assert_eq!(public_key(keys, "x509-CA-A").await, *made.public_key());
    assert_eq!(keys.keys().await.unwrap().len(), 3, "the others stay");
}

async fn a_replaced_key_goes_on_signing(keys: &dyn KeyManager) {
    let before = keys.generate("x509-CA-A", KeyKind::EcP256).await.unwrap();
    keys.generate("x509-CA-A", KeyKind::EcP256).await.unwrap();
    assert!(is_signed(&*before, b"late", &ECDSA_P256_SHA256_ASN1).await);
}

async fn a_kind_that_is_not_made_is_refused(keys: &dyn KeyManager) {
    let before = public_key(keys, "x509-CA-A").await;
    match keys.generate("x509-CA-A", KeyKind::Rsa { bits: 1024 }).await {
        Err(KeysError::Kind { .. }) => assert_eq!(public_key(keys, "x509-CA-A").await, before),
        outcome => panic!("RSA with 1024 bits is made by nobody: {outcome:?}"),
    }
}

async fn deleting_forgets_the_key(keys: &dyn KeyManager) {
    keys.delete("x509-CA-B").await.unwrap();
    assert!(keys.key("x509-CA-B").await.unwrap().is_none());
    keys.delete("x509-CA-B").await.expect("deleting twice is no error");
}

async fn many_may_generate_at_once(keys: &dyn KeyManager) {
    let ids: Vec<String> = (0..16).map(|n| format!("many-{n}")).collect();
    let made = join_all(ids.iter().map(|id| keys.generate(id, KeyKind::EcP256))).await;
    for (id, key) in ids.iter().zip(made) {
        let key = key.unwrap();
        assert_eq!(public_key(keys, id).await, *key.public_key(), "no change was lost");
    }
}

async fn debug_shows_no_key(keys: &dyn KeyManager) {
    let key = keys.generate("shown", KeyKind::EcP256).await.unwrap();
    let Some(local) = key.local() else { return };
    let shown = format!("{key:?} {keys:?}");
    let secret = &local.pkcs8_der()[40..48];
    assert!(!shown.contains(&format!("{secret:?}")[1..20]), "no key is shown");
    assert!(!shown.contains(&hex::encode(secret)), "no key is shown");
}

async fn public_key(keys: &dyn KeyManager, id: &str) -> PublicKey {
    keys.key(id).await.unwrap().expect("the key is found").public_key().clone()
}

async fn is_signed(key: &dyn Key, message: &[u8], algorithm: &'static dyn VerificationAlgorithm) -> bool {
    let signature = key.sign(message).await.unwrap();
    let public = ParsedPublicKey::new(algorithm, key.public_key().spki_der()).unwrap();
    public.verify_sig(message, &signature).is_ok()
}
