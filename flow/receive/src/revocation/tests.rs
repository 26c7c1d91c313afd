//! Lists in files that change, are torn, go and come back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::RevocationLists;
use tempfile::TempDir;

use super::RevocationSource;
use crate::testing::{Authority, start};
use crate::watched::LOOK;

struct Folder {
    folder: TempDir,
    authority: Authority,
    clock: Clock,
    hand: ClockHand,
    tasks: Tasks,
}

impl Folder {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        let tasks = Tasks::new(clock.clone());
        let folder = Self {
            folder: TempDir::new().unwrap(),
            authority: Authority::new("example.org"),
            clock,
            hand,
            tasks,
        };
        fs::write(folder.path(), folder.list(1)).unwrap();
        folder
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("revoked.crl")
    }

    /// Which list it is shows by its nextUpdate.
    fn list(&self, hours: u64) -> Vec<u8> {
        self.authority.revocation_list(&[], start() + Duration::from_secs(hours * 3600))
    }

    async fn source(&self, every: Option<Duration>) -> RevocationSource {
        RevocationSource::from_files(vec![self.path()], every, &self.clock, &self.tasks).await.unwrap()
    }

    /// Lets the reader look this often.
    async fn look(&self, times: u32) {
        for _ in 0..times {
            self.hand.sleepers(1).await;
            self.hand.step(LOOK);
        }
        self.hand.sleepers(1).await;
    }
}

fn holds(source: &RevocationSource, content: &[u8]) -> bool {
    *source.lists().unwrap() == RevocationLists::parse(content).unwrap()
}

#[tokio::test]
async fn change_is_noticed_within_five_seconds_without_being_told() {
    let folder = Folder::new();
    let source = folder.source(None).await;
    let next = folder.list(2);
    fs::write(folder.path(), &next).unwrap();
    folder.look(4).await;
    assert!(holds(&source, &next));
}

#[tokio::test]
async fn what_is_asked_for_is_read_at_once() {
    let folder = Folder::new();
    let mut source = folder.source(None).await;
    source.updated().await.unwrap();
    let next = folder.list(2);
    fs::write(folder.path(), &next).unwrap();
    source.reload();
    source.updated().await.unwrap();
    assert!(holds(&source, &next));
}

#[tokio::test]
async fn lists_that_cannot_be_used_are_refused_and_counted_and_those_before_go_on() {
    let folder = Folder::new();
    let good = fs::read(folder.path()).unwrap();
    let source = folder.source(None).await;
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("torn", &|| fs::write(folder.path(), &good[..good.len() / 2]).unwrap()),
        ("empty", &|| fs::write(folder.path(), "").unwrap()),
        ("gone", &|| fs::remove_file(folder.path()).unwrap()),
        ("a folder", &|| fs::create_dir(folder.path()).unwrap()),
    ];
    for (refused, (what, spoil)) in (1..).zip(spoil) {
        spoil();
        folder.look(3).await;
        assert_eq!(source.refused(), refused, "{what}");
        assert!(holds(&source, &good), "{what}");
    }
    fs::remove_dir(folder.path()).unwrap();
    let next = folder.list(2);
    fs::write(folder.path(), &next).unwrap();
    folder.look(3).await;
    assert!(holds(&source, &next));
}

#[tokio::test]
async fn several_files_count_together_and_one_that_is_bad_at_the_start_is_named() {
    let folder = Folder::new();
    let other = folder.folder.path().join("other.crl");
    fs::write(&other, folder.list(2)).unwrap();
    let files = vec![folder.path(), other.clone()];
    let read = || RevocationSource::from_files(files.clone(), None, &folder.clock, &folder.tasks);
    let both = RevocationLists::parse(&fs::read(folder.path()).unwrap())
        .unwrap()
        .and(&RevocationLists::parse(&fs::read(&other).unwrap()).unwrap());
    assert_eq!(*read().await.unwrap().lists().unwrap(), both);
    fs::write(&other, "nothing").unwrap();
    let error = read().await.unwrap_err().to_string();
    assert!(error.ends_with("other.crl holds no revocation list that can be used"), "{error}");
}
