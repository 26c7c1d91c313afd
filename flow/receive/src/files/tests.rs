//! Files as they rotate, tear and go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::X509Credential;
use rcgen::KeyPair;
use tempfile::TempDir;

use super::{EventKind, IdentityFiles, is_change};
use crate::Source;
use crate::testing::{Authority, start};

const ID: &str = "spiffe://example.org/web";

struct Folder {
    folder: TempDir,
    hand: ClockHand,
    tasks: Tasks,
    source: Source,
}

/// A source over a folder that `fill` filled.
fn watched(fill: impl FnOnce(&Path)) -> Folder {
    let folder = TempDir::new().unwrap();
    fill(folder.path());
    let path = |name| folder.path().join(name);
    let files =
        IdentityFiles { certificate: path("svid.pem"), key: path("key.pem"), bundle: path("bundle.pem") };
    let (clock, hand) = Clock::manual(start());
    let tasks = Tasks::new(clock.clone());
    let source = Source::from_files(files, &clock, &tasks);
    Folder { folder, hand, tasks, source }
}

impl Folder {
    /// Lets the polling look once more, and waits until it has looked.
    async fn poll(&self) {
        self.hand.sleepers(1).await;
        self.hand.step(super::POLL);
        self.hand.sleepers(1).await;
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn key_pem(credential: &X509Credential) -> String {
    KeyPair::try_from(credential.key().pkcs8_der()).unwrap().serialize_pem()
}

fn write(folder: &Path, credential: &X509Credential, authority: &Authority) {
    fs::write(folder.join("svid.pem"), credential.svid().to_pem()).unwrap();
    fs::write(folder.join("key.pem"), key_pem(credential)).unwrap();
    fs::write(folder.join("bundle.pem"), authority.bundle().to_pem()).unwrap();
}

#[tokio::test]
async fn rule_11_a_rotated_pair_and_its_root_become_one_generation() {
    let (old, new) = (Authority::new("example.org"), Authority::new("example.org"));
    let folder = watched(|path| write(path, &old.credential(ID), &old));
    folder.source.ready().await.unwrap();
    write(folder.path(), &new.credential("spiffe://example.org/next"), &new);
    let mut source = folder.source.clone();
    while source.credential().unwrap().svid().id().path() != "/next" {
        folder.hand.sleepers(1).await;
        folder.hand.step(super::POLL);
        source.updated().await.unwrap();
    }
    assert_eq!(source.bundles().unwrap().iter().next(), Some(&new.bundle()));
    assert_eq!(source.refused(), 0);
    folder.tasks.drain().request();
}

#[tokio::test]
async fn rule_11_files_that_never_belong_together_are_refused_and_counted_once() {
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    let folder = watched(|path| write(path, &ours.credential(ID), &ours));
    let before = folder.source.ready().await.unwrap();
    fs::write(folder.path().join("bundle.pem"), others.bundle().to_pem()).unwrap();
    while folder.source.refused() == 0 {
        folder.poll().await;
    }
    for _ in 0..5 {
        folder.poll().await;
    }
    assert_eq!(folder.source.refused(), 1);
    assert!(std::sync::Arc::ptr_eq(&before, &folder.source.context().unwrap()));
}

#[tokio::test]
async fn a_pair_half_written_passes_in_silence() {
    let ours = Authority::new("example.org");
    let folder = watched(|path| write(path, &ours.credential(ID), &ours));
    folder.source.ready().await.unwrap();
    let next = ours.credential("spiffe://example.org/next");
    fs::write(folder.path().join("svid.pem"), next.svid().to_pem()).unwrap();
    folder.poll().await;
    assert_eq!(folder.source.credential().unwrap().svid().id().path(), "/web");
    write(folder.path(), &next, &ours);
    while folder.source.credential().unwrap().svid().id().path() != "/next" {
        folder.poll().await;
    }
    assert_eq!(folder.source.refused(), 0);
}

#[tokio::test]
async fn a_source_whose_files_come_late_says_so_and_waits() {
    let folder = watched(|_| {});
    while folder.source.refused() == 0 {
        folder.poll().await;
    }
    assert!(folder.source.context().is_err());
    let ours = Authority::new("example.org");
    write(folder.path(), &ours.credential(ID), &ours);
    while folder.source.context().is_err() {
        folder.poll().await;
    }
}

#[tokio::test]
async fn a_folder_that_kubernetes_swaps_is_noticed_without_polling() {
    let (old, new) = (Authority::new("example.org"), Authority::new("example.org"));
    let folder = watched(|path| {
        for (name, authority) in [("one", &old), ("two", &new)] {
            fs::create_dir(path.join(name)).unwrap();
            write(
                &path.join(name),
                &authority.credential(&format!("spiffe://example.org/{name}")),
                authority,
            );
        }
        symlink("one", path.join("..data")).unwrap();
        for file in ["svid.pem", "key.pem", "bundle.pem"] {
            symlink(format!("..data/{file}"), path.join(file)).unwrap();
        }
    });
    folder.source.ready().await.unwrap();
    let mut source = folder.source.clone();
    source.updated().await.unwrap();
    folder.hand.sleepers(1).await;
    symlink("two", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    // The clock stands still: only the watch can have told.
    source.updated().await.unwrap();
    assert_eq!(source.credential().unwrap().svid().id().path(), "/two");
}

#[test]
fn our_own_reading_is_no_change() {
    use notify::event::{AccessKind, AccessMode, CreateKind};
    assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
    assert!(!is_change(EventKind::Access(AccessKind::Close(AccessMode::Read))));
    assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    assert!(is_change(EventKind::Create(CreateKind::File)));
}

#[tokio::test]
async fn each_fault_names_its_file() {
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    let credential = ours.credential(ID);
    let key_of_another = key_pem(&ours.credential(ID));
    for (name, content, says) in [
        ("svid.pem", String::from("nothing"), "svid.pem holds no X509-SVID"),
        ("key.pem", key_of_another, "key.pem holds a key of another certificate"),
        ("key.pem", String::from("nothing"), "key.pem holds no PKCS#8 private key"),
        ("bundle.pem", String::from("nothing"), "bundle.pem"),
        ("bundle.pem", others.bundle().to_pem(), "bundle.pem does not hold an authority"),
        ("bundle.pem", "x".repeat(1024 * 1024 + 1), "bundle.pem is larger than 1 MiB"),
    ] {
        let folder = TempDir::new().unwrap();
        write(folder.path(), &credential, &ours);
        fs::write(folder.path().join(name), content).unwrap();
        let path = |name| folder.path().join(name);
        let files =
            IdentityFiles { certificate: path("svid.pem"), key: path("key.pem"), bundle: path("bundle.pem") };
        let (clock, _hand) = Clock::manual(start());
        let (writer, _source) = Source::channel(&clock);
        let refused = super::load::load(&files, None, &writer).await.err().expect(says).to_string();
        assert!(refused.contains(says), "{refused}");
    }
}
