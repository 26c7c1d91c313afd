//! The format of the journal, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;

fn record(state: State, slot: Slot) -> AuthorityRecord {
    AuthorityRecord {
        kind: AuthorityKind::X509,
        slot,
        state,
        key_id: "x509-CA-A".to_owned(),
        id: format!("{state:?}"),
        issued_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        not_after: SystemTime::UNIX_EPOCH + Duration::from_secs(2000),
        document: vec![0x30, 0],
    }
}

fn journal() -> Journal {
    let plan = Plan { kind: AuthorityKind::Jwt, slot: Slot::B, key_id: "JWT-Signer-B".to_owned() };
    let mark = Mark { kind: AuthorityKind::Jwt, id: "k".to_owned(), not_after: SystemTime::UNIX_EPOCH };
    Journal {
        authorities: vec![record(State::Active, Slot::A), record(State::Prepared, Slot::B)],
        plans: vec![plan],
        tainted: vec![mark.clone()],
        revoked: vec![mark],
        set_aside: Vec::new(),
    }
}

#[test]
fn journal_reads_back_as_written() {
    assert_eq!(Journal::parse(&journal().to_bytes()).unwrap(), journal());
}

#[test]
fn format_1_is_as_documented() {
    let text = String::from_utf8(journal().to_bytes()).unwrap();
    let (header, body) = text.split_once('\n').unwrap();
    assert!(header.starts_with("finial-journal 1 "));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "kind": "x509", "slot": "A", "state": "active", "key_id": "x509-CA-A", "id": "Active",
        "issued_at": 1000, "not_after": 2000, "document": "MAA=",
    });
    assert_eq!(body["authorities"][0], expected);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = journal().to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x04;
        assert!(Journal::parse(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn every_torn_journal_is_noticed() {
    let bytes = journal().to_bytes();
    for length in 0..bytes.len() {
        assert!(Journal::parse(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn journal_of_a_later_version_is_told_apart_from_a_damaged_one() {
    assert_eq!(Journal::parse(b"finial-journal 2 whatever\n{}"), Err(Damage::Format(2)));
    assert!(matches!(Journal::parse(b"finial-journal 0 x\n{}"), Err(Damage::Corrupt(_))));
}

#[test]
fn two_active_authorities_of_a_kind_are_refused() {
    let mut journal = journal();
    journal.authorities[1].state = State::Active;
    assert!(matches!(Journal::parse(&journal.to_bytes()), Err(Damage::Corrupt(_))));
}

#[test]
fn two_authorities_in_a_slot_are_refused() {
    let mut journal = journal();
    journal.authorities[1].slot = Slot::A;
    assert!(matches!(Journal::parse(&journal.to_bytes()), Err(Damage::Corrupt(_))));
}

#[test]
fn only_the_latest_damaged_journals_are_carried_along() {
    let mut journal = Journal::default();
    for number in 0..10_u8 {
        journal.set_aside(&[number]);
        journal.set_aside(&[number]);
    }
    assert_eq!(journal.set_aside, ["Bg==", "Bw==", "CA==", "CQ=="]);
}
