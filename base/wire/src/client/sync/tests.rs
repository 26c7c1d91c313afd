//! What an agent takes of a server that sends without end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;
use tonic::Code;

use super::{Page, Progress};
use crate::MAX_SYNCED_ENTRIES;
use crate::convert::entry as convert;
use crate::harness::entry;
use crate::proto::entry as proto;

fn revisions() -> Page {
    Page {
        entry_revisions: vec![convert::encode_revisions([Arc::new(entry(1))].iter()).remove(0); 500],
        more: true,
        ..Page::default()
    }
}

fn entries() -> Page {
    let entries = convert::encode_entries([Arc::new(entry(1))].iter(), None);
    Page { entries: vec![entries[0].clone(); 500], ..revisions() }
}

#[test]
fn agent_does_not_hold_what_is_no_id() {
    for id in [String::new(), "x".repeat(256), "x y".to_owned()] {
        let revision = proto::EntryRevision { id, revision_number: 1, created_at: 1 }.encode_to_vec();
        let page = Page { entry_revisions: vec![revision.into()], ..Page::default() };
        let known = HashMap::new();
        let mut progress = Progress::new(&known);
        assert_eq!(progress.take(page).unwrap_err().code(), Code::Internal);
        assert!(progress.stale.is_empty());
    }
}

/// The same one again counts again: a server may not keep an agent taking for ever.
#[test]
fn agent_takes_a_million_entries_and_no_more() {
    let known = HashMap::new();
    for page in
        [Page { entries: Vec::new(), ..revisions() }, Page { entry_revisions: Vec::new(), ..entries() }]
    {
        let mut progress = Progress::new(&known);
        for _ in 0..MAX_SYNCED_ENTRIES / 500 {
            progress.take(page.clone()).unwrap();
        }
        let surplus = progress.take(page).unwrap_err();
        assert_eq!(surplus.code(), Code::Internal);
        assert!(surplus.message().contains("authorized entries"), "{surplus}");
        assert!(surplus.message().contains("at most 1000000 are allowed"), "{surplus}");
    }
}
