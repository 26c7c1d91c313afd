//! The file of keys: its form, its generations, and what damage to it leads to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_identity::{KeyKind, PublicKey};
use tempfile::TempDir;

use super::{DiskKeys, format};
use crate::local::{Generation, LocalKey};
use crate::{KeyManager, KeysError, battery};

/// A folder with keys in two generations: `a` in both, `b` only in the current one.
struct Folder {
    _folder: TempDir,
    path: PathBuf,
    a: PublicKey,
    b: PublicKey,
}

impl Folder {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let keys = DiskKeys::open(&path).unwrap();
        let a = keys.generate("a", KeyKind::EcP256).await.unwrap().public_key().clone();
        let b = keys.generate("b", KeyKind::EcP384).await.unwrap().public_key().clone();
        Self { _folder: folder, path, a, b }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.path.display()))
    }

    fn names(&self) -> Vec<String> {
        let listed = fs::read_dir(self.path.parent().unwrap()).unwrap();
        let names = listed.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

async fn public_key(keys: &DiskKeys, id: &str) -> Option<PublicKey> {
    keys.key(id).await.unwrap().map(|key| key.public_key().clone())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn disk_keys_pass_the_battery() {
    let folder = tempfile::tempdir().unwrap();
    battery::run(&DiskKeys::open(folder.path().join("keys.json")).unwrap()).await;
}

#[tokio::test]
async fn keys_are_there_after_a_restart() {
    let folder = Folder::new().await;
    let keys = DiskKeys::open(&folder.path).unwrap();
    assert_eq!(public_key(&keys, "a").await, Some(folder.a.clone()));
    assert_eq!(public_key(&keys, "b").await, Some(folder.b.clone()));
}

#[tokio::test]
async fn opening_a_missing_file_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keys = DiskKeys::open(folder.path().join("keys.json")).unwrap();
    keys.delete("nothing").await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn rule_10_both_generations_are_for_the_owner_only() {
    let folder = Folder::new().await;
    assert_eq!((mode(&folder.path), mode(&folder.beside(".prev"))), (0o600, 0o600));
}

#[tokio::test]
async fn the_generation_before_is_kept() {
    let folder = Folder::new().await;
    let previous = format::decode(&fs::read(folder.beside(".prev")).unwrap()).unwrap();
    assert_eq!(previous.keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn the_file_is_spires() {
    let folder = Folder::new().await;
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&folder.path).unwrap()).unwrap();
    let keys = text["keys"].as_object().unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["a", "b"]);
    let der = STANDARD.decode(keys["a"].as_str().unwrap()).unwrap();
    finial_identity::PrivateKey::from_pkcs8_der(&der).expect("the value is base64 of PKCS#8");
}

#[tokio::test]
async fn a_file_that_spire_wrote_is_read() {
    let pair =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING);
    let pair = pair.unwrap();
    let encoded = STANDARD.encode(pair.to_pkcs8v1().unwrap());
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_der().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, format!("{{\n\t\"keys\": {{\n\t\t\"x509-CA-A\": \"{encoded}\"\n\t}}\n}}")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let keys = DiskKeys::open(&path).unwrap();
    assert_eq!(public_key(&keys, "x509-CA-A").await.unwrap().spki_der(), public.as_ref());
}

#[tokio::test]
async fn spi_01_002_file_that_others_may_use_is_refused() {
    for open_mode in [0o640, 0o604, 0o666, 0o610] {
        let folder = Folder::new().await;
        fs::set_permissions(&folder.path, Permissions::from_mode(open_mode)).unwrap();
        let error = DiskKeys::open(&folder.path).unwrap_err();
        assert!(matches!(error, KeysError::Exposed { mode, .. } if mode == open_mode), "{error}");
        assert!(error.to_string().contains(&format!("`chmod 600 {}`", folder.path.display())), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_file_gives_way_to_the_generation_before() {
    let folder = Folder::new().await;
    let damaged = b"{\"keys\": {\"a\": ".to_vec();
    fs::write(&folder.path, &damaged).unwrap();
    let keys = DiskKeys::open(&folder.path).unwrap();
    assert_eq!(public_key(&keys, "a").await, Some(folder.a.clone()));
    assert_eq!(public_key(&keys, "b").await, None);
    assert_eq!(fs::read(&folder.path).unwrap(), damaged, "opening changes nothing");
    assert_eq!(folder.names(), ["keys.json", "keys.json.prev"]);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_before_the_next_write() {
    let folder = Folder::new().await;
    for n in 1..=2 {
        let damaged = format!("damage {n}");
        fs::write(&folder.path, &damaged).unwrap();
        let keys = DiskKeys::open(&folder.path).unwrap();
        let made = keys.generate("b", KeyKind::EcP256).await.unwrap();
        assert_eq!(fs::read_to_string(folder.beside(&format!(".corrupt-{n}"))).unwrap(), damaged);
        let keys = DiskKeys::open(&folder.path).unwrap();
        assert_eq!(public_key(&keys, "a").await, Some(folder.a.clone()));
        assert_eq!(public_key(&keys, "b").await.as_ref(), Some(made.public_key()));
        let previous = format::decode(&fs::read(folder.beside(".prev")).unwrap());
        assert!(previous.is_ok_and(|keys| keys.contains_key("a")), "the good generation was not overwritten");
    }
}

#[tokio::test]
async fn a_missing_file_gives_way_to_the_generation_before() {
    let folder = Folder::new().await;
    fs::remove_file(&folder.path).unwrap();
    let keys = DiskKeys::open(&folder.path).unwrap();
    assert_eq!(public_key(&keys, "a").await, Some(folder.a.clone()));
}

#[tokio::test]
async fn two_damaged_generations_are_named_and_left_alone() {
    let folder = Folder::new().await;
    fs::write(&folder.path, "").unwrap();
    fs::write(folder.beside(".prev"), "{}").unwrap();
    let error = DiskKeys::open(&folder.path).unwrap_err();
    let KeysError::Corrupt { damaged } = &error else { panic!("{error}") };
    assert_eq!(
        damaged.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(),
        [folder.path.clone(), folder.beside(".prev")]
    );
    assert!(error.to_string().contains("keys.json.prev"), "{error}");
    assert_eq!(fs::read(&folder.path).unwrap(), b"");
    assert_eq!(folder.names(), ["keys.json", "keys.json.prev"]);
}

#[tokio::test]
async fn a_damaged_file_without_a_generation_before_makes_no_new_keys() {
    let folder = Folder::new().await;
    fs::remove_file(folder.beside(".prev")).unwrap();
    fs::write(&folder.path, "{\"keys\": {\"a\": \"AAAA\"}}").unwrap();
    let error = DiskKeys::open(&folder.path).unwrap_err();
    assert!(matches!(error, KeysError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("key `a` is not base64 of a PKCS#8 private key"), "{error}");
}

#[tokio::test]
async fn every_changed_byte_is_found_or_harmless() {
    let folder = Folder::new().await;
    fs::remove_file(folder.beside(".prev")).unwrap();
    let good = fs::read(&folder.path).unwrap();
    for position in 0..good.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut text = good.clone();
            text[position] ^= flip;
            let Ok(keys) = format::decode(&text) else { continue };
            assert_eq!(keys.len(), 2, "byte {position} ^ {flip:#x}");
            assert_eq!(keys["a"].key().public_key(), &folder.a, "byte {position} ^ {flip:#x}");
            assert_eq!(keys["b"].key().public_key(), &folder.b, "byte {position} ^ {flip:#x}");
        }
    }
}

#[tokio::test]
async fn every_truncation_is_found() {
    let good = fs::read(Folder::new().await.path).unwrap();
    for length in 0..good.len() {
        assert!(format::decode(&good[..length]).is_err(), "{length} bytes of {}", good.len());
    }
}

#[tokio::test]
async fn a_write_that_fails_leaves_the_keys_as_they_were() {
    let folder = Folder::new().await;
    let keys = DiskKeys::open(&folder.path).unwrap();
    let elsewhere = folder.path.parent().unwrap().with_extension("moved");
    fs::rename(folder.path.parent().unwrap(), &elsewhere).unwrap();
    let error = keys.generate("a", KeyKind::EcP256).await.unwrap_err();
    assert!(matches!(error, KeysError::Write { .. }), "{error}");
    assert!(keys.delete("b").await.is_err());
    assert_eq!(public_key(&keys, "a").await, Some(folder.a.clone()));
    assert_eq!(public_key(&keys, "b").await, Some(folder.b.clone()));
    fs::rename(&elsewhere, folder.path.parent().unwrap()).unwrap();
    keys.generate("c", KeyKind::EcP256).await.expect("later writes work");
    assert_eq!(DiskKeys::open(&folder.path).unwrap().keys().await.unwrap().len(), 3);
}

#[test]
fn errors_about_the_text_never_quote_it() {
    let secret = "c2VjcmV0";
    for text in [
        format!("{{\"keys\": {{\"a\": \"{secret}\"}}}}"),
        format!("{{\"keys\": \"{secret}\"}}"),
        secret.into(),
    ] {
        let error = format::decode(text.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}

#[tokio::test]
async fn what_is_encoded_is_decoded() {
    let key = LocalKey::generate("x", KeyKind::EcP256).await.unwrap();
    let public = key.key().public_key().clone();
    let generation = Generation::from([("x".to_owned(), key.into())]);
    let decoded = format::decode(&format::encode(&generation)).unwrap();
    assert_eq!(decoded["x"].key().public_key(), &public);
    assert!(format::decode(&format::encode(&Generation::new())).unwrap().is_empty());
}

#[tokio::test]
async fn rsa_keys_are_read_and_written_as_spire_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let pair = aws_lc_rs::signature::RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = format!("{{\"keys\": {{\"x509-CA-A\": \"{}\"}}}}", STANDARD.encode(pkcs8.as_ref()));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let keys = DiskKeys::open(&path).unwrap();
    let read = public_key(&keys, "x509-CA-A").await.unwrap();
    assert_eq!(read.kind(), KeyKind::Rsa { bits: 2048 });
    let made = keys.generate("x509-CA-B", KeyKind::Rsa { bits: 2048 }).await.unwrap();
    let again = DiskKeys::open(&path).unwrap();
    assert_eq!(public_key(&again, "x509-CA-A").await, Some(read));
    assert_eq!(public_key(&again, "x509-CA-B").await.as_ref(), Some(made.public_key()));
}

#[test]
fn a_file_of_keys_beyond_the_limit_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let file = fs::File::create(&path).unwrap();
    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    file.set_len((4 << 20) + 1).unwrap();
    let error = DiskKeys::open(&path).unwrap_err();
    assert!(format!("{error:?}").contains("it has 4194305 bytes, and 4194304 are the limit"), "{error:?}");
}
