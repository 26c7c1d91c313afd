//! The messages of a stream, made smaller.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use prost::Message;
use tonic::body::Body;

use super::{PREFIX, Slimmed, slim, slimmed};
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

/// The message that is whole in what has come.
fn message(begun: &mut BytesMut) -> Bytes {
    match slimmed::<DiscoveryRequest>(begun) {
        Some(Slimmed::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_read_is_left_out() {
    let slim = message(&mut sent(60_000));
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
fn what_follows_is_kept_for_the_next_time() {
    let (mut two, second) = (sent(100), sent(7));
    two.put_slice(&second);
    assert_eq!(message(&mut two).len(), PREFIX + request().encoded_len());
    assert_eq!(two, second);
}

#[tokio::test]
async fn every_message_of_a_stream_is_made_smaller() {
    let small = message(&mut sent(0));
    let sent = [sent(60_000), sent(60_000), sent(7)].concat();
    // As frames of HTTP/2 cut it, wherever that is.
    let parts: Vec<Bytes> = sent.chunks(16_384).map(Bytes::copy_from_slice).collect();
    let frames = stream::iter(parts).flat_map(|part| BodyStream::new(Full::new(part)));
    let body = Body::new(StreamBody::new(frames.map_err(|never| match never {})));
    let all = slim::<DiscoveryRequest>(body).collect().await.unwrap().to_bytes();
    assert_eq!(all, small.repeat(3));
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
        let passed = slimmed::<DiscoveryRequest>(&mut sent.clone());
        assert_eq!(passed, Some(Slimmed::Unreadable(sent.freeze())));
    }
}
