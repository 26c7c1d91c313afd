//! envoy.service.secret.v3.SecretDiscoveryService: an Envoy learns its identities and whom to trust.

mod slim;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use tonic::{Extensions, Request, Response, Status, Streaming};

use self::slim::Slim;
use super::{GrpcService, split};
use crate::convert::secrets as convert;
use crate::error::WireError;
use crate::proto::discovery::*;
use crate::proto::secrets::secret_discovery_service_server::{
    SecretDiscoveryService, SecretDiscoveryServiceServer,
};
use crate::{MAX_SECRET_REQUEST_BYTES, SecretDelta, SecretDeltaRequest, SecretRequest, SecretUpdate};

/// Messages of one stream, as they come.
pub type Messages<T> = BoxStream<'static, Result<T, Status>>;

/// What an agent does for an Envoy.
///
/// A stream of answers ends when the stream of requests does.
#[async_trait]
pub trait SecretApi: Send + Sync + 'static {
    /// State of the world: answers what each request names, and again whatever of it changes.
    async fn stream(
        &self,
        ctx: &Extensions,
        requests: Messages<SecretRequest>,
    ) -> Result<Messages<SecretUpdate>, Status>;

    /// Incremental: the same, with a version for each secret, and word of what there is not.
    async fn delta(
        &self,
        ctx: &Extensions,
        requests: Messages<SecretDeltaRequest>,
    ) -> Result<Messages<SecretDelta>, Status>;

    /// Answers once.
    async fn fetch(&self, ctx: &Extensions, request: SecretRequest) -> Result<SecretUpdate, Status>;
}

/// Puts a [`SecretApi`] on the wire.
pub fn secret_service(api: Arc<dyn SecretApi>) -> impl GrpcService {
    let service = SecretDiscoveryServiceServer::new(Adapter(api));
    Slim(service.max_decoding_message_size(MAX_SECRET_REQUEST_BYTES))
}

struct Adapter(Arc<dyn SecretApi>);

#[async_trait]
impl SecretDiscoveryService for Adapter {
    type StreamSecretsStream = Messages<DiscoveryResponse>;
    type DeltaSecretsStream = Messages<DeltaDiscoveryResponse>;

    async fn stream_secrets(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        let (ctx, requests) = split(request);
        let requests = requests.map(|request| convert::request(request?).map_err(WireError::refusal));
        let updates = self.0.stream(&ctx, requests.boxed()).await?;
        Ok(Response::new(updates.map(|update| Ok(convert::to_response(update?))).boxed()))
    }

    async fn delta_secrets(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        let (ctx, requests) = split(request);
        let requests = requests.map(|request| convert::delta_request(request?).map_err(WireError::refusal));
        let deltas = self.0.delta(&ctx, requests.boxed()).await?;
        Ok(Response::new(deltas.map(|delta| Ok(convert::to_delta_response(delta?))).boxed()))
    }

    async fn fetch_secrets(
        &self,
        request: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        let (ctx, request) = split(request);
        let request = convert::request(request).map_err(WireError::refusal)?;
        Ok(Response::new(convert::to_response(self.0.fetch(&ctx, request).await?)))
    }
}

#[cfg(test)]
mod tests;
