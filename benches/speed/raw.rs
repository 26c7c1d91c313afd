//! A caller that takes messages as they are: what it costs to understand them is not what is measured.

use bytes::{Buf, BufMut};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

/// Opens a stream of the Workload API by an empty request, and gives the sizes of its messages.
pub(crate) async fn stream(channel: Channel, method: &'static str) -> Result<Streaming<usize>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(());
    request.metadata_mut().insert("workload.spiffe.io", "true".parse().unwrap());
    let answer = grpc.server_streaming(request, PathAndQuery::from_static(method), Sizes).await?;
    Ok(answer.into_inner())
}

/// Sends nothing and counts what comes.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes;

impl Codec for Sizes {
    type Encode = ();
    type Decode = usize;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Sizes {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&[]);
        Ok(())
    }
}

impl Decoder for Sizes {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let size = buffer.remaining();
        buffer.advance(size);
        Ok(Some(size))
    }
}
