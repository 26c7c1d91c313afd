//! Certificates of any PKI, as files that change and go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand, Tasks};
use rcgen::DnType;
use tempfile::TempDir;

use super::{Password, WebFiles, WebPair, WebRoots, WebSource};
use crate::testing::{Authority, pem, start};

struct Folder {
    folder: TempDir,
    clock: Clock,
    hand: ClockHand,
    tasks: Tasks,
    authority: Authority,
}

impl Folder {
    /// With a pair and its root.
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        let folder = TempDir::new().unwrap();
        let tasks = Tasks::new(clock.clone());
        let made = Self { folder, clock, hand, tasks, authority: Authority::new("example.org") };
        made.write_pair("first");
        made.write("ca.pem", &made.authority.bundle().to_pem());
        made
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn pair(&self, name: &str) -> (String, String) {
        let (chain, key) = self.authority.leaf("spiffe://example.org/x", start(), |params| {
            params.subject_alt_names.clear();
            params.distinguished_name.push(DnType::CommonName, name);
        });
        (pem(&chain), key.to_pem().to_string())
    }

    fn write_pair(&self, name: &str) {
        let (chain, key) = self.pair(name);
        self.write("cert.pem", &chain);
        self.write("key.pem", &key);
    }

    fn files(&self) -> WebFiles {
        let path = |name| self.path().join(name);
        let own = WebPair { certificate: path("cert.pem"), key: path("key.pem"), password: None };
        WebFiles { own: Some(own), roots: WebRoots::File(path("ca.pem")) }
    }

    async fn source(&self, every: Option<Duration>) -> WebSource {
        WebSource::from_files(self.files(), every, &self.clock, &self.tasks).await.unwrap()
    }

    async fn refusal(&self, files: WebFiles) -> String {
        let error = WebSource::from_files(files, None, &self.clock, &self.tasks).await.unwrap_err();
        error.to_string()
    }
}

fn name(source: &WebSource) -> String {
    let identity = source.identity().unwrap();
    identity.credential().unwrap().chain().common_name().unwrap().to_owned()
}

#[tokio::test]
async fn pair_and_roots_are_read() {
    let folder = Folder::new();
    let source = folder.source(None).await;
    assert_eq!(name(&source), "first");
    assert_eq!(source.identity().unwrap().roots(), folder.authority.bundle().x509_authorities);
}

#[tokio::test]
async fn one_file_may_hold_certificate_and_key() {
    let folder = Folder::new();
    let (chain, key) = folder.pair("both");
    folder.write("keystore.pem", &format!("{key}{chain}"));
    let path = folder.path().join("keystore.pem");
    let own = Some(WebPair { certificate: path.clone(), key: path, password: None });
    let files = WebFiles { own, ..folder.files() };
    let source = WebSource::from_files(files, None, &folder.clock, &folder.tasks).await.unwrap();
    assert_eq!(name(&source), "both");
}

#[tokio::test]
async fn what_is_asked_for_is_read_again() {
    let folder = Folder::new();
    let mut source = folder.source(None).await;
    source.updated().await.unwrap();
    folder.write_pair("second");
    assert_eq!(name(&source), "first");
    assert!(!source.is_reading());
    source.reload();
    assert!(source.is_reading());
    source.updated().await.unwrap();
    assert_eq!(name(&source), "second");
    assert_eq!(source.refused(), 0);
    while source.is_reading() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_read_again_when_the_tasks_have_ended() {
    let folder = Folder::new();
    let source = folder.source(None).await;
    assert!(folder.tasks.stop(Duration::from_secs(1)).await);
    source.reload();
    assert!(!source.is_reading());
}

#[tokio::test]
async fn what_was_asked_for_and_is_not_read_before_the_tasks_end_is_waited_for_by_nobody() {
    let folder = Folder::new();
    let source = folder.source(None).await;
    source.reload();
    assert!(source.is_reading());
    folder.tasks.drain().request();
    source.settled().await;
    assert!(!source.is_reading());
}

#[tokio::test]
async fn files_are_read_again_at_the_interval() {
    let folder = Folder::new();
    let every = Duration::from_secs(30);
    let mut source = folder.source(Some(every)).await;
    source.updated().await.unwrap();
    folder.write_pair("second");
    folder.hand.sleepers(1).await;
    folder.hand.step(every);
    source.updated().await.unwrap();
    assert_eq!(name(&source), "second");
}

#[tokio::test]
async fn root_that_leaves_its_file_is_gone_within_five_seconds_and_the_pair_waits_to_be_asked_for() {
    let folder = Folder::new();
    let source = folder.source(None).await;
    let other = Authority::new("example.org").bundle();
    folder.write("ca.pem", &other.to_pem());
    folder.write_pair("second");
    for _ in 0..4 {
        folder.hand.sleepers(1).await;
        folder.hand.step(Duration::from_secs(1));
    }
    folder.hand.sleepers(1).await;
    assert_eq!(source.identity().unwrap().roots(), other.x509_authorities);
    assert_eq!(name(&source), "first");
}

#[tokio::test]
async fn same_fault_is_counted_each_time() {
    let folder = Folder::new();
    let source = folder.source(Some(Duration::from_secs(30))).await;
    folder.write("key.pem", "torn");
    for refused in 1..4 {
        while source.refused() < refused {
            folder.hand.sleepers(1).await;
            folder.hand.step(Duration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn rule_11_a_bad_generation_is_refused_and_counted_and_the_old_one_goes_on() {
    let folder = Folder::new();
    let every = Duration::from_secs(30);
    let source = folder.source(Some(every)).await;
    let before = source.identity().unwrap();
    let (_, foreign) = folder.pair("foreign");
    let mut refused = 0;
    for (file, content) in
        [("key.pem", foreign.as_str()), ("cert.pem", "torn"), ("ca.pem", ""), ("key.pem", "")]
    {
        let good = fs::read(folder.path().join(file)).unwrap();
        folder.write(file, content);
        refused += 1;
        while source.refused() < refused {
            folder.hand.sleepers(1).await;
            folder.hand.step(every);
            folder.hand.sleepers(1).await;
        }
        refused = source.refused();
        assert!(Arc::ptr_eq(&before, &source.identity().unwrap()), "{file}");
        fs::write(folder.path().join(file), good).unwrap();
    }
}

#[tokio::test]
async fn each_fault_names_its_file() {
    for (file, content, says) in [
        ("cert.pem", "", "cert.pem holds no certificate in PEM"),
        ("key.pem", "", "key.pem holds no private key in PEM"),
        ("key.pem", FOREIGN_KEY, "key.pem holds a private key that cannot be used"),
        ("ca.pem", "", "ca.pem holds no certificate in PEM"),
    ] {
        let folder = Folder::new();
        folder.write(file, content);
        let refusal = folder.refusal(folder.files()).await;
        assert!(refusal.contains(says), "{refusal}");
    }
    let folder = Folder::new();
    folder.write("key.pem", &folder.pair("other").1);
    assert!(folder.refusal(folder.files()).await.ends_with("key.pem holds a key of another certificate"));
    let folder = Folder::new();
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    assert!(folder.refusal(folder.files()).await.ends_with("ca.pem cannot be read"));
}

/// Made by OpenSSL, with the password `sesam`.
const KEYSTORE: &[u8] = include_bytes!("../../../../base/identity/src/keystore/tests/new.p12");

impl Folder {
    /// A keystore of this name, content and password.
    async fn keystore(
        &self,
        name: &str,
        content: &[u8],
        password: Option<&str>,
    ) -> Result<WebSource, String> {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        let password = password.map(|text| Password::new(text.to_owned()));
        let own = Some(WebPair { certificate: path.clone(), key: path, password });
        let files = WebFiles { own, ..self.files() };
        WebSource::from_files(files, None, &self.clock, &self.tasks).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }
}

#[tokio::test]
async fn keystore_in_pkcs_12_is_known_by_its_extension_or_its_content() {
    let folder = Folder::new();
    for file in ["a.p12", "a.PFX", "keystore", "a.bin"] {
        let source = folder.keystore(file, KEYSTORE, Some("sesam")).await.unwrap();
        assert_eq!(name(&source), "leaf", "{file}");
    }
}

#[tokio::test]
async fn keystore_that_cannot_be_opened_says_why() {
    let folder = Folder::new();
    let pem = fs::read(folder.path().join("cert.pem")).unwrap();
    for (file, content, password, says) in [
        ("a.p12", KEYSTORE, None, "a.p12 is a PKCS#12 keystore with a password: give it with --storepass"),
        ("a.p12", KEYSTORE, Some("wrong"), "keystore is not opened by this password"),
        ("a.p12", &KEYSTORE[..99], Some("sesam"), "keystore is torn, or no pkcs#12 in der"),
        ("a.p12", &pem, Some("sesam"), "keystore is torn, or no pkcs#12 in der"),
        ("a.pem", KEYSTORE, Some("sesam"), "a.pem holds no certificate in PEM"),
        ("a.jceks", &pem, Some("sesam"), "a.jceks is a Java keystore (JKS, JCEKS), which is not read"),
        ("a.bin", b"\xce\xce\xce\xce\0", None, "a.bin is a Java keystore"),
        ("a.bin", b"\xfe\xed\xfe\xed\0", None, "a.bin is a Java keystore"),
    ] {
        let refusal = folder.keystore(file, content, password).await.unwrap_err();
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[test]
fn rule_10_debug_hides_the_password() {
    assert!(!format!("{:?}", Password::new("sesam".to_owned())).contains("sesam"));
}

/// Well-formed PEM of no key.
const FOREIGN_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
