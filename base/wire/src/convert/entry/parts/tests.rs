//! Beside what the library makes of the same messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::BytesMut;
use prost::Message;

use super::{Parts, encode};
use crate::convert::entry::{EVERYTHING, to_entry};
use crate::harness::{entry, full_entry};
use crate::proto::types;

fn encoded(message: &types::Entry) -> Vec<u8> {
    message.encode_to_vec()
}

#[test]
fn entries_are_encoded_as_their_messages_are() {
    let no_fields = types::EntryMask::default();
    let one_field = types::EntryMask { hint: true, ..no_fields };
    for given in [entry(1), entry(99_999), full_entry()] {
        for mask in [EVERYTHING, no_fields, one_field] {
            let mut bytes = BytesMut::new();
            encode(&given, mask, &mut bytes);
            assert_eq!(bytes, encoded(&to_entry(&given, Some(mask))), "{given:?}");
        }
    }
}

#[test]
fn messages_are_decoded_as_the_library_does() {
    for given in [entry(1), full_entry()] {
        let message = to_entry(&given, None);
        assert_eq!(Parts::decode(&encoded(&message)).unwrap(), Parts::of(&message));
    }
    let negative = types::Entry { x509_svid_ttl: -1, expires_at: i64::MIN, ..Default::default() };
    assert_eq!(Parts::decode(&encoded(&negative)).unwrap(), Parts::of(&negative));
}

/// Every prefix, and every byte changed, of a message with every field.
#[test]
fn damage_is_seen_where_the_library_sees_it() {
    let whole = encoded(&to_entry(&full_entry(), None));
    let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
    let changed = (0..whole.len()).flat_map(|at| {
        let whole = &whole;
        [0, 1, 0x7f, 0x80, 0xff].map(move |byte| [&whole[..at], &[byte], &whole[at + 1..]].concat())
    });
    for bytes in cut.chain(changed) {
        match (types::Entry::decode(&bytes[..]), Parts::decode(&bytes)) {
            (Ok(message), Ok(parts)) => assert_eq!(parts, Parts::of(&message), "{bytes:02x?}"),
            (Err(_), Err(_)) => {}
            (theirs, ours) => panic!("{theirs:?} and {ours:?} of {bytes:02x?}"),
        }
    }
}

#[test]
fn the_last_one_counts_and_the_unknown_is_passed_over() {
    let first = types::Entry { id: "first".into(), hint: "kept".into(), ..Default::default() };
    let last = types::Entry { id: "last".into(), ..Default::default() };
    // Field 99, of four bytes.
    let unknown = [0x9d, 0x06, 1, 2, 3, 4];
    let both = [encoded(&first), unknown.to_vec(), encoded(&last)].concat();
    let parts = Parts::decode(&both).unwrap();
    assert_eq!((parts.id, parts.hint), ("last", "kept"));
}
