//! What an agent takes of a server that sends without end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

use finial_identity::EntryId;
use tonic::Code;

use super::SyncedEntries;
use crate::MAX_SYNCED_ENTRIES;
use crate::convert::entry as convert;
use crate::harness::entry;
use crate::proto::entry::EntryRevision;

#[test]
fn agent_takes_a_million_entries_and_no_more() {
    let id = |n: usize| EntryId::new(format!("entry-{n}")).unwrap();
    let present = (1..MAX_SYNCED_ENTRIES).map(id).collect();
    let mut synced = SyncedEntries { present, ..SyncedEntries::default() };
    let revision = |n| EntryRevision { id: id(n).as_str().to_owned(), revision_number: 0, created_at: 0 };
    let mut stale = Vec::new();
    synced.note(vec![revision(0)], &HashMap::new(), &mut stale).unwrap();
    let surplus = synced.note(vec![revision(MAX_SYNCED_ENTRIES)], &HashMap::new(), &mut stale).unwrap_err();
    assert_eq!(surplus.code(), Code::Internal);
    assert!(surplus.message().contains("authorized entries"), "{surplus}");
    assert!(surplus.message().contains("at most 1000000 are allowed"), "{surplus}");
    // It is the same of whole entries.
    assert!(synced.take(vec![convert::to_entry(&entry(1), None)], &HashMap::new()).is_err());
}

#[test]
fn revision_that_is_told_again_is_asked_for_once() {
    let (mut synced, mut stale) = (SyncedEntries::default(), Vec::new());
    for _ in 0..3 {
        synced
            .note(
                vec![convert::revision(&entry(1)), convert::revision(&entry(2))],
                &HashMap::new(),
                &mut stale,
            )
            .unwrap();
    }
    assert_eq!(stale, [entry(1).id, entry(2).id]);
}
