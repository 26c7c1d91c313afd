//! Connections as the C core begins them, in pieces of every size.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::AuthorityFilter;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 4, 0, 0, 0, 1], payload].concat()
}

fn block(length: &[u8], authority: &[u8]) -> Vec<u8> {
    [b"\x40\x05:path\x05/a%2F\x40\x0a:authority", length, authority, b"\x83\x40\x01x\x03a%b"].concat()
}

fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, SETTINGS, &frames.concat()].concat()
}

/// The result must not depend on where a read ends.
fn passed(bytes: &[u8]) -> Vec<u8> {
    let whole = in_pieces(bytes, bytes.len());
    for size in 1..40 {
        assert_eq!(in_pieces(bytes, size), whole, "in pieces of {size}");
    }
    whole
}

fn in_pieces(bytes: &[u8], size: usize) -> Vec<u8> {
    let (mut filter, mut bytes) = (AuthorityFilter::default(), bytes.to_vec());
    bytes.chunks_mut(size).for_each(|piece| filter.pass(piece));
    bytes
}

#[test]
fn an_escaped_path_becomes_a_name_of_the_same_length_and_nothing_else_changes() {
    let sent =
        connection(&[frame(1, &block(b"\x13", b"tmp%2Fabcd%2Fa.sock")), frame(1, &block(b"\x05", b"a%2Fb"))]);
    let mended =
        connection(&[frame(1, &block(b"\x13", b"tmp-2Fabcd-2Fa.sock")), frame(1, &block(b"\x05", b"a-2Fb"))]);
    assert_eq!(passed(&sent), mended);
}

#[test]
fn a_path_longer_than_126_bytes_is_mended_too() {
    let (path, name) = ("%2Fa".repeat(40), "-2Fa".repeat(40));
    let sent = connection(&[frame(1, &block(b"\x7f\x21", path.as_bytes()))]);
    assert_eq!(passed(&sent), connection(&[frame(1, &block(b"\x7f\x21", name.as_bytes()))]));
}

#[test]
fn what_is_no_header_passes_untouched() {
    let sent = connection(&[frame(0, &block(b"\x05", b"a%2Fb")), frame(1, &block(b"\x09", b"localhost"))]);
    assert_eq!(passed(&sent), sent);
}
