//! The first message of a stream, made smaller.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::{BufMut, BytesMut};
use prost::Message;

use super::{PREFIX, slimmed};
use crate::MAX_SECRET_REQUEST_BYTES;
use crate::proto::discovery::DiscoveryRequest;

fn request() -> DiscoveryRequest {
    DiscoveryRequest { resource_names: vec!["ROOTCA".to_owned()], ..Default::default() }
}

/// A message as it is sent, with a field of so many bytes that we do not read.
fn sent(unread: usize) -> BytesMut {
    let mut message = request().encode_to_vec();
    prost::encoding::string::encode(77, &"x".repeat(unread), &mut message);
    let mut sent = BytesMut::new();
    sent.put_u8(0);
    sent.put_u32(u32::try_from(message.len()).unwrap());
    sent.put_slice(&message);
    sent
}

#[test]
fn what_is_not_read_is_left_out() {
    let slim = slimmed::<DiscoveryRequest>(&mut sent(60_000)).unwrap();
    assert_eq!(DiscoveryRequest::decode(&slim[PREFIX..]).unwrap(), request());
    assert_eq!(slim.len(), PREFIX + request().encoded_len());
}

#[test]
fn message_is_waited_for_until_it_is_whole() {
    let mut whole = sent(100);
    for length in 0..whole.len() {
        assert_eq!(slimmed::<DiscoveryRequest>(&mut BytesMut::from(&whole[..length])), None, "{length}");
    }
    assert!(slimmed::<DiscoveryRequest>(&mut whole).is_some());
}

#[test]
fn what_follows_is_passed_on() {
    let (mut two, second) = (sent(100), sent(7));
    two.put_slice(&second);
    let slim = slimmed::<DiscoveryRequest>(&mut two).unwrap();
    assert!(slim.ends_with(&second));
    assert_eq!(slim.len(), PREFIX + request().encoded_len() + second.len());
}

#[test]
fn what_cannot_be_read_is_passed_on_as_it_is() {
    let prefix = |flag: u8, length: usize| {
        let mut sent = BytesMut::new();
        sent.put_u8(flag);
        sent.put_u32(u32::try_from(length).unwrap());
        sent
    };
    let mut garbage = prefix(0, 3);
    garbage.put_slice(&[0xff, 0xff, 0xff]);
    for sent in [garbage, prefix(1, 100), prefix(0, MAX_SECRET_REQUEST_BYTES + 1)] {
        assert_eq!(slimmed::<DiscoveryRequest>(&mut sent.clone()).unwrap(), sent);
    }
}
