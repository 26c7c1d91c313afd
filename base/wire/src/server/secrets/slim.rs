//! What an Envoy says of itself is not kept for as long as its stream is open.
//!
//! Each message lists all extensions of the Envoy: 61 kB in version 1.40 (only the first one with
//! `set_node_on_first_message_only`). The buffer in which a message is received stays with the stream, so each one is taken
//! apart, and put together again without what is not read, before it gets there.

use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use http::Request;
use http_body_util::{BodyStream, StreamBody};
use prost::Message;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;

use crate::MAX_SECRET_REQUEST_BYTES;
use crate::proto::discovery::{DeltaDiscoveryRequest, DiscoveryRequest};
use crate::server::GrpcService;

/// Before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// The service, fed with requests that are as small as they can be.
#[derive(Clone)]
pub(super) struct Slim<S>(pub(super) S);

impl<S: GrpcService> Service<Request<Body>> for Slim<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_delta = request.uri().path().ends_with("/DeltaSecrets");
        let slim = if is_delta { slim::<DeltaDiscoveryRequest> } else { slim::<DiscoveryRequest> };
        self.0.call(request.map(slim))
    }
}

impl<S: NamedService> NamedService for Slim<S> {
    const NAME: &'static str = S::NAME;
}

/// The same messages without what we do not read.
fn slim<M: Message + Default>(body: Body) -> Body {
    let state = (BodyStream::new(body), Some(BytesMut::new()));
    let frames = stream::try_unfold(state, |(mut frames, mut begun)| async move {
        // A stream that ends within a message has not said it.
        while let Some(frame) = frames.next().await.transpose()? {
            let (Some(held), Some(data)) = (&mut begun, frame.data_ref()) else {
                return Ok(Some((frame, (frames, begun))));
            };
            held.extend_from_slice(data);
            let mut whole = BytesMut::new();
            while let Some(next) = begun.as_mut().and_then(slimmed::<M>) {
                let (Slimmed::Message(part) | Slimmed::Unreadable(part)) = &next;
                whole.put_slice(part);
                if matches!(next, Slimmed::Unreadable(_)) {
                    begun = None;
                }
            }
            if !whole.is_empty() {
                return Ok(Some((frame.map_data(|_| whole.freeze()), (frames, begun))));
            }
        }
        Ok::<_, tonic::Status>(None)
    });
    Body::new(StreamBody::new(frames))
}

/// What is passed on.
#[derive(Debug, PartialEq)]
enum Slimmed {
    Message(Bytes),
    /// All there is, for others to refuse: nobody can tell where the next message begins.
    Unreadable(Bytes),
}

/// Takes the next message as soon as it is whole, and leaves what came after it.
fn slimmed<M: Message + Default>(begun: &mut BytesMut) -> Option<Slimmed> {
    let (prefix, rest) = begun.split_at_checked(PREFIX)?;
    let is_compressed = prefix[0] != 0;
    let length = prefix[1..].iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if is_compressed || length > MAX_SECRET_REQUEST_BYTES {
        return Some(Slimmed::Unreadable(begun.split().freeze()));
    }
    let (message, after) = rest.split_at_checked(length)?;
    let Ok(message) = M::decode(message) else {
        return Some(Slimmed::Unreadable(begun.split().freeze()));
    };
    let mut slimmed = BytesMut::with_capacity(PREFIX + message.encoded_len());
    slimmed.put_u8(0);
    slimmed.put_u32(u32::try_from(message.encoded_len()).ok()?);
    slimmed.put_slice(&message.encode_to_vec());
    // Copied, so that the room of the message is given back.
    *begun = BytesMut::from(after);
    Some(Slimmed::Message(slimmed.freeze()))
}

#[cfg(test)]
mod tests;
