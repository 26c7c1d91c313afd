//! The catalog: its index and its merging.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_identity::{Entry, Selector, SelectorSet};
use finial_wire::client::SyncedEntries;

use super::EntryCatalog;
use crate::agent::testing::{draft, entry, entry_id};

fn catalog(entries: impl IntoIterator<Item = Entry>) -> EntryCatalog {
    entries.into_iter().map(Arc::new).collect()
}

fn selectors(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

fn candidates(catalog: &EntryCatalog, texts: &[&str]) -> Vec<String> {
    catalog.candidates(&selectors(texts)).map(|entry| entry.id.to_string()).collect()
}

#[test]
fn candidates_are_found_by_the_rarest_selector() {
    let named = |name: &str| entry(name, draft(name, &["unix:uid:1", &format!("unix:path:/{name}")]));
    let catalog = catalog([named("a"), named("b"), named("c")]);
    assert_eq!(candidates(&catalog, &["unix:uid:1", "unix:path:/b"]), ["b"]);
    assert!(candidates(&catalog, &["unix:uid:1"]).is_empty());
}

#[test]
fn every_entry_that_matches_is_among_the_candidates() {
    let sets: [&[&str]; 4] = [&["t:a"], &["t:a", "t:b"], &["t:b", "t:c"], &["t:c"]];
    let entries = sets.iter().enumerate().map(|(number, set)| entry(&number.to_string(), draft("x", set)));
    let catalog = catalog(entries);
    for asked in [&["t:a"][..], &["t:a", "t:b"], &["t:b", "t:c"], &["t:a", "t:b", "t:c"]] {
        let found = candidates(&catalog, asked);
        let matching = catalog.iter().filter(|entry| entry.selectors.is_subset_of(&selectors(asked)));
        for entry in matching {
            assert!(found.contains(&entry.id.to_string()), "{} for {asked:?}", entry.id);
        }
    }
}

#[test]
fn stored_svids_are_nobodys() {
    let mut stored = draft("stored", &["t:a"]);
    stored.store_svid = true;
    assert!(candidates(&catalog([entry("stored", stored)]), &["t:a"]).is_empty());
}

#[test]
fn nothing_new_is_no_new_catalog() {
    let catalog = catalog([entry("a", draft("a", &["t:a"]))]);
    let synced = SyncedEntries { changed: Vec::new(), unchanged: [entry_id("a")].into() };
    assert!(catalog.merged(synced).is_none());
}

#[test]
fn merging_takes_changes_and_drops_what_is_gone() {
    let catalog = catalog([entry("a", draft("a", &["t:a"])), entry("b", draft("b", &["t:b"]))]);
    let mut changed = entry("a", draft("new", &["t:a"]));
    changed.revision_number = 1;
    let synced = SyncedEntries { changed: vec![changed.clone()], ..SyncedEntries::default() };
    let merged = catalog.merged(synced).unwrap();
    assert_eq!(merged.iter().map(|entry| Entry::clone(entry)).collect::<Vec<_>>(), [changed]);
    assert_eq!(merged.known()[&entry_id("a")].0, 1);
}
