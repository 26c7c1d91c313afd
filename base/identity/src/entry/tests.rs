//! Entries: what is accepted, and each rule broken once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use super::{Entry, EntryDraft, EntryError, EntryId};
use crate::{Selector, SelectorSet, SpiffeId, TrustDomain};

fn id(path: &str) -> SpiffeId {
    SpiffeId::parse(format!("spiffe://td{path}")).unwrap()
}

fn selectors(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

fn draft() -> EntryDraft {
    EntryDraft::new(id("/workload"), id("/spire/agent/x"), selectors(&["unix:uid:1"]))
}

fn check(draft: EntryDraft) -> Result<Entry, EntryError> {
    let td = TrustDomain::parse("td").unwrap();
    Entry::new(draft, EntryId::new("e").unwrap(), &td, SystemTime::UNIX_EPOCH)
}

#[test]
fn good_entries_are_accepted() {
    assert_eq!(check(draft()).unwrap().revision_number, 0);
    // A node alias hangs below the server.
    check(EntryDraft { parent_id: id("/spire/server"), ..draft() }).unwrap();
    check(EntryDraft { parent_id: id("/another/entry"), ..draft() }).unwrap();
    check(EntryDraft { selectors: selectors(&["a:1", "b:2"]), ..draft() }).unwrap();
    check(EntryDraft { store_svid: true, selectors: selectors(&["a:1", "a:2"]), ..draft() }).unwrap();
    check(EntryDraft { hint: "h".repeat(1024), ..draft() }).unwrap();
}

#[test]
fn entry_reads_as_its_draft() {
    let entry = check(draft()).unwrap();
    assert_eq!(entry.spiffe_id, id("/workload"));
    assert_eq!(entry.into_draft(), draft());
}

#[test]
fn bad_entries_are_refused_by_rule() {
    let foreign = SpiffeId::parse("spiffe://other/a").unwrap();
    let cases: [(EntryDraft, &str); 11] = [
        (
            EntryDraft { spiffe_id: foreign.clone(), ..draft() },
            "`spiffe://other/a` is not a member of trust domain `td`",
        ),
        (
            EntryDraft { parent_id: foreign, ..draft() },
            "`spiffe://other/a` is not a member of trust domain `td`",
        ),
        (
            EntryDraft { spiffe_id: id(""), ..draft() },
            "`spiffe://td` has no path; name a workload, an agent or a server",
        ),
        (
            EntryDraft { parent_id: id(""), ..draft() },
            "`spiffe://td` has no path; name a workload, an agent or a server",
        ),
        (
            EntryDraft { spiffe_id: id("/spire/agent/x"), ..draft() },
            "`spiffe://td/spire/agent/x` is reserved: paths below /spire belong to servers and agents",
        ),
        (
            EntryDraft { spiffe_id: id("/spire/server"), ..draft() },
            "`spiffe://td/spire/server` is reserved: paths below /spire belong to servers and agents",
        ),
        (
            EntryDraft { spiffe_id: id("/spire"), ..draft() },
            "`spiffe://td/spire` is reserved: paths below /spire belong to servers and agents",
        ),
        (
            EntryDraft { selectors: SelectorSet::default(), ..draft() },
            "entry has no selectors; give at least one",
        ),
        (
            EntryDraft { store_svid: true, selectors: selectors(&["a:1", "b:1"]), ..draft() },
            "an entry whose svid is stored must have selectors of one type only",
        ),
        (
            EntryDraft { hint: "h".repeat(1025), ..draft() },
            "hint is 1025 bytes long; at most 1024 are allowed",
        ),
        (
            EntryDraft { dns_names: vec!["ok.example".into(), "a..b".into()], ..draft() },
            "dns name `a..b` has an empty label",
        ),
    ];
    for (draft, message) in cases {
        assert_eq!(check(draft).unwrap_err().to_string(), message);
    }
}

#[test]
fn dns_names_follow_the_rules_of_host_names() {
    let check = |name: &str| check(EntryDraft { dns_names: vec![name.into()], ..draft() });
    let longest = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    for name in ["localhost", "a.b", "*.example.org", "xn--nxasmq6b.example", "1.2.3.4", "a-b.c", &longest] {
        assert!(check(name).is_ok(), "{name}");
    }
    let too_long = format!("{longest}d");
    for name in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "*",
        "**.a",
        "*a.b",
        "a.*.b",
        "*.*.a",
        "-a.b",
        "a-.b",
        "a b",
        "a_b",
        "bücher.de",
        "a/b",
        "ab--c.de",
        "*.",
        &"a".repeat(64),
        &too_long,
    ] {
        assert!(matches!(check(name), Err(EntryError::DnsName { .. })), "{name}");
    }
}

#[test]
fn entry_ids_are_checked() {
    for text in ["a", "A.b_c-9", &"x".repeat(255)] {
        assert_eq!(EntryId::new(text).unwrap().as_str(), text);
    }
    for text in ["", "a b", "a/b", "é", "a:b", &"x".repeat(256)] {
        assert!(matches!(EntryId::new(text), Err(EntryError::Id(_))), "{text}");
    }
}

#[test]
fn generated_entry_ids_are_uuids_in_order() {
    let ids: Vec<EntryId> = (0..1000).map(|_| EntryId::generate()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next));
    assert!(ids.iter().all(|id| id.as_str().len() == 36 && &id.as_str()[14..15] == "7"));
}

#[test]
fn entry_ends_at_its_expiry() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
    let entry = check(EntryDraft { expires_at: Some(end), ..draft() }).unwrap();
    assert!(!entry.is_expired(end - Duration::from_secs(1)));
    assert!(entry.is_expired(end));
    assert!(!check(draft()).unwrap().is_expired(end));
}
