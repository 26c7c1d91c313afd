//! The stored identity comes back, whatever happened to the file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use finial_identity::TrustDomain;
use finial_receive::testing::Authority;
use serde_json::Value;

use super::{Storage, Stored};

const AGENT: &str = "spiffe://example.org/spire/agent/join_token/t";

fn storage(folder: &Path) -> Storage {
    Storage::new(folder, TrustDomain::parse("example.org").unwrap())
}

fn identity(authority: &Authority) -> Stored {
    let credential = authority.credential(AGENT);
    Stored {
        svid: Some(credential.svid().clone()),
        bundle: Some(authority.bundle().as_ref().clone()),
        ..Stored::default()
    }
}

fn error_chain(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn what_was_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let saved = identity(&Authority::new("example.org"));
    storage(folder.path()).save(&saved).await.unwrap();
    let loaded = storage(folder.path()).load().unwrap();
    assert_eq!((loaded.svid, loaded.bundle), (saved.svid, saved.bundle));
    let mode = fs::metadata(folder.path().join("agent-data.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn no_file_is_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let stored = storage(folder.path()).load().unwrap();
    assert!(stored.svid.is_none() && stored.bundle.is_none());
}

#[tokio::test]
async fn the_form_is_that_of_spire() {
    let folder = tempfile::tempdir().unwrap();
    let authorities = [Authority::new("example.org"), Authority::new("example.org")];
    let mut saved = identity(&authorities[0]);
    saved.bundle = Some(authorities[0].bundle_with(&[&authorities[1]]).as_ref().clone());
    storage(folder.path()).save(&saved).await.unwrap();
    let text = fs::read(folder.path().join("agent-data.json")).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(document["reattestable"], false);
    let decode =
        |item: &Value| String::from_utf8(BASE64_STANDARD.decode(item.as_str().unwrap()).unwrap()).unwrap();
    let bundle: Vec<_> = document["bundle"].as_array().unwrap().iter().map(decode).collect();
    assert_eq!(bundle.len(), 2, "one item for each certificate");
    for certificate in bundle {
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\n"), "{certificate}");
        assert!(certificate.ends_with("-----END CERTIFICATE-----\n"), "{certificate}");
    }
}

#[tokio::test]
async fn what_spire_wrote_beside_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent-data.json");
    fs::write(&path, r#"{"svid":null,"bundle":[],"bootstrap_use":3}"#).unwrap();
    let mut stored = storage(folder.path()).load().unwrap();
    assert!(stored.svid.is_none() && stored.bundle.is_none());
    stored.can_reattest = true;
    storage(folder.path()).save(&stored).await.unwrap();
    let document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(document["bootstrap_use"], 3);
    assert_eq!(document["reattestable"], true);
}

#[tokio::test]
async fn a_torn_file_gives_way_to_the_generation_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent-data.json");
    let authority = Authority::new("example.org");
    let (first, second) = (identity(&authority), identity(&authority));
    storage(folder.path()).save(&first).await.unwrap();
    storage(folder.path()).save(&second).await.unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(storage(folder.path()).load().unwrap().svid, first.svid);
    // And the file is whole again.
    let repaired: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(repaired["svid"].is_array());
}

#[test]
fn a_damaged_file_without_another_generation_is_named() {
    let damaged = [
        ("{", "no JSON of the form of agent-data.json"),
        (r#"{"svid":["*"]}"#, "`svid` holds text that is no base64"),
        (r#"{"svid":["aGVsbG8="]}"#, "`svid` holds no X509-SVID"),
        (r#"{"bundle":["*"]}"#, "`bundle` holds text that is no base64"),
        (r#"{"bundle":["aGVsbG8="]}"#, "`bundle` holds no certificates"),
    ];
    for (text, problem) in damaged {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent-data.json");
        fs::write(&path, text).unwrap();
        let error = error_chain(&storage(folder.path()).load().unwrap_err());
        assert!(error.contains(problem), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a damaged file is left as it is");
    }
}

#[test]
fn files_of_an_early_spire_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["agent_svid.der", "bundle.der"] {
        fs::write(folder.path().join(name), "der").unwrap();
    }
    let stored = storage(folder.path()).load().unwrap();
    assert!(stored.svid.is_none() && stored.bundle.is_none());
    for name in ["agent_svid.der", "bundle.der"] {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "der");
    }
}
