//! Files that change in each way, at rest and while they are written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::{PATIENCE, Watched};

#[tokio::test]
async fn change_is_told_once_and_when_it_has_come_to_rest() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "a").unwrap();
    let mut watched = Watched::new(vec![path.clone()]).await;
    assert!(!watched.changed().await);
    fs::write(&path, "ab").unwrap();
    assert!(!watched.changed().await);
    assert!(watched.changed().await);
    assert!(!watched.changed().await);
}

#[tokio::test]
async fn file_that_never_rests_is_told_of_all_the_same() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let mut watched = Watched::new(vec![path.clone()]).await;
    for look in 0..=PATIENCE {
        fs::write(&path, "x".repeat(look as usize + 1)).unwrap();
        assert_eq!(watched.changed().await, look == PATIENCE, "{look}");
    }
}

#[tokio::test]
async fn removal_replacement_and_another_target_of_a_link_are_changes() {
    let folder = TempDir::new().unwrap();
    let [file, other, link] = ["file", "other", "link"].map(|name| folder.path().join(name));
    fs::write(&file, "same").unwrap();
    fs::write(&other, "same").unwrap();
    symlink(&file, &link).unwrap();
    let mut watched = Watched::new(vec![link.clone()]).await;
    let mut told = async |what: &str| {
        assert!(!watched.changed().await, "{what}");
        assert!(watched.changed().await, "{what}");
    };
    fs::remove_file(&link).unwrap();
    symlink(&other, &link).unwrap();
    told("another target").await;
    fs::rename(&file, &other).unwrap();
    told("another file").await;
    fs::remove_file(&other).unwrap();
    told("no file").await;
}
