//! Tests of which entries describe a process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use super::*;
use crate::testing::{agent, draft, entry, now, process};

fn plain(name: &str, texts: &[&str]) -> Arc<Entry> {
    Arc::new(entry(name, draft("/workload", &agent("a"), texts)))
}

fn hinted(name: &str, hint: &str, created_at: SystemTime) -> Arc<Entry> {
    let mut draft = draft("/workload", &agent("a"), &["unix:uid:1"]);
    draft.hint = hint.to_owned();
    let mut entry = entry(name, draft);
    entry.created_at = created_at;
    Arc::new(entry)
}

fn names(entries: &[Arc<Entry>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

#[tokio::test]
async fn process_needs_all_selectors_of_an_entry() {
    let process = process(&["unix:uid:1", "unix:gid:2"]).await;
    let entries = [
        plain("both", &["unix:uid:1", "unix:gid:2"]),
        plain("another-user", &["unix:uid:2"]),
        plain("too-many", &["unix:uid:1", "unix:gid:2", "unix:gid:3"]),
        plain("another-type", &["docker:uid:1"]),
        plain("a-part", &["unix:uid:1"]),
    ];
    assert_eq!(names(&matching_entries(&process, entries)), ["a-part", "both"]);
}

#[tokio::test]
async fn process_without_selectors_matches_nothing() {
    let process = process(&[]).await;
    assert!(matching_entries(&process, [plain("any", &["unix:uid:1"])]).is_empty());
}

#[tokio::test]
async fn stored_svid_is_nobodys_on_the_workload_api() {
    let mut stored = draft("/workload", &agent("a"), &["unix:uid:1"]);
    stored.store_svid = true;
    let stored = Arc::new(entry("stored", stored));
    assert!(matching_entries(&process(&["unix:uid:1"]).await, [stored]).is_empty());
}

#[tokio::test]
async fn oldest_entry_keeps_the_hint() {
    let process = process(&["unix:uid:1"]).await;
    let later = now() + Duration::from_secs(1);
    let entries = [
        hinted("a", "internal", later),
        hinted("b", "internal", now()),
        hinted("c", "external", later),
        hinted("d", "", later),
        hinted("e", "", now()),
    ];
    assert_eq!(names(&matching_entries(&process, entries)), ["b", "c", "d", "e"]);
}

#[tokio::test]
async fn lowest_id_keeps_the_hint_among_entries_of_one_age() {
    let process = process(&["unix:uid:1"]).await;
    let entries = [hinted("b", "internal", now()), hinted("a", "internal", now())];
    assert_eq!(names(&matching_entries(&process, entries)), ["a"]);
}
