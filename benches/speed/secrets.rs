//! Memory of an agent that 450 Envoys hold a stream of secrets on.

use std::time::Duration;

use bytes::{Buf, BufMut};
use finial_daemon::Clock;
use finial_receive::{Endpoint, connect};
use finial_testkit::Pair;
use futures_util::{StreamExt, stream};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use crate::measure::resident_kb;

const STREAMS: usize = 450;
/// Envoy 1.40 lists so many extensions, each in some hundred bytes, in the first message of every stream.
const EXTENSIONS: usize = 516;

pub(crate) async fn bench() {
    let pair = Pair::new();
    let _server = pair.server();
    let agent = pair.join();
    pair.identity("envoy");
    let message = first_message();
    // What the first one costs once for all is not counted.
    let first = open(&pair, &message).await;
    let before = resident_kb(agent.id());
    let mut streams = vec![first];
    while streams.len() <= STREAMS {
        streams.push(open(&pair, &message).await);
    }
    // What was needed only for a moment is given back.
    Clock::system().sleep(Duration::from_secs(1)).await;
    let each = (resident_kb(agent.id()) - before) / STREAMS as f64;
    println!(
        "memory of {STREAMS} SDS streams, each on its own connection: {:.1} MB ({each:.0} kB each; first message {} kB)\n",
        each * STREAMS as f64 / 1024.0,
        message.len() / 1024
    );
}

/// A stream that has had its first answer.
async fn open(pair: &Pair, message: &[u8]) -> tonic::Streaming<Vec<u8>> {
    let channel = connect(&Endpoint::Unix(pair.path("agent.sock").into()));
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets");
    let requests = stream::iter([message.to_vec()]).chain(stream::pending());
    let mut answers = client.streaming(Request::new(requests), path, Bytes).await.unwrap().into_inner();
    assert!(!answers.message().await.unwrap().unwrap().is_empty());
    answers
}

/// A DiscoveryRequest for `ROOTCA` as Envoy makes it, field by field.
fn first_message() -> Vec<u8> {
    let extension = [field(1, &[b'x'; 60]), field(2, &[b'y'; 50])].concat();
    let extensions = field(9, &extension).repeat(EXTENSIONS);
    [field(2, &extensions), field(3, b"ROOTCA")].concat()
}

/// A field of bytes (Protocol Buffers, wire type 2).
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        encoded.push(length as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    encoded.extend_from_slice(value);
    encoded
}

/// Messages as they are on the wire.
#[derive(Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
