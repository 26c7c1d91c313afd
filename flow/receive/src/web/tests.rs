//! Certificates of any PKI, as files that change and go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand, Tasks};
use rcgen::DnType;
use tempfile::TempDir;

use super::{WebFiles, WebPair, WebRoots, WebSource};
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
        let own = WebPair { certificate: path("cert.pem"), key: path("key.pem") };
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
    let own = Some(WebPair { certificate: path.clone(), key: path });
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
        ("cert.pem", "0\u{2}\u{1}", "cert.pem is a PKCS#12 keystore, which is not read"),
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
    fs::write(folder.path().join("cert.pem"), [0xfe, 0xed, 0xfe, 0xed, 0, 0]).unwrap();
    assert!(folder.refusal(folder.files()).await.contains("cert.pem is a Java keystore"));
    let folder = Folder::new();
    folder.write("key.pem", &folder.pair("other").1);
    assert!(folder.refusal(folder.files()).await.ends_with("key.pem holds a key of another certificate"));
    let folder = Folder::new();
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    assert!(folder.refusal(folder.files()).await.ends_with("ca.pem cannot be read"));
}

/// Well-formed PEM of no key.
const FOREIGN_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
