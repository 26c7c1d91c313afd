//! spire.api.server.bundle.v1.Bundle: whom to trust.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Bundle, TrustDomain};
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, not_served, split};
use crate::MAX_REQUEST_BYTES;
use crate::convert::{bundle as convert, id};
use crate::error::WireError;
use crate::proto::bundle::bundle_server;
use crate::proto::bundle::*;
use crate::proto::types;

/// What a server tells of bundles.
#[async_trait]
pub trait BundleApi: Send + Sync + 'static {
    /// The server's own bundle.
    async fn bundle(&self, ctx: &Extensions) -> Result<Arc<Bundle>, Status>;

    /// The bundle of a trust domain federated with; NotFound when there is none.
    async fn federated_bundle(
        &self,
        ctx: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status>;
}

/// Puts a [`BundleApi`] on the wire.
pub fn bundle_service(api: Arc<dyn BundleApi>) -> impl GrpcService {
    bundle_server::BundleServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn BundleApi>);

#[async_trait]
impl bundle_server::Bundle for Adapter {
    async fn get_bundle(
        &self,
        request: Request<GetBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        let (ctx, request) = split(request);
        let bundle = self.0.bundle(&ctx).await?;
        Ok(Response::new(convert::to_bundle(&bundle, request.output_mask)))
    }

    async fn get_federated_bundle(
        &self,
        request: Request<GetFederatedBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        let (ctx, request) = split(request);
        let name = id::trust_domain("trust domain", &request.trust_domain).map_err(WireError::refusal)?;
        let bundle = self.0.federated_bundle(&ctx, name).await?;
        Ok(Response::new(convert::to_bundle(&bundle, request.output_mask)))
    }

    async fn count_bundles(
        &self,
        _: Request<CountBundlesRequest>,
    ) -> Result<Response<CountBundlesResponse>, Status> {
        not_served("CountBundles")
    }

    async fn append_bundle(
        &self,
        _: Request<AppendBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        not_served("AppendBundle")
    }

    async fn publish_jwt_authority(
        &self,
        _: Request<PublishJwtAuthorityRequest>,
    ) -> Result<Response<PublishJwtAuthorityResponse>, Status> {
        not_served("PublishJWTAuthority")
    }

    async fn publish_wit_authority(
        &self,
        _: Request<PublishWitAuthorityRequest>,
    ) -> Result<Response<PublishWitAuthorityResponse>, Status> {
        not_served("PublishWITAuthority")
    }

    async fn list_federated_bundles(
        &self,
        _: Request<ListFederatedBundlesRequest>,
    ) -> Result<Response<ListFederatedBundlesResponse>, Status> {
        not_served("ListFederatedBundles")
    }

    async fn batch_create_federated_bundle(
        &self,
        _: Request<BatchCreateFederatedBundleRequest>,
    ) -> Result<Response<BatchCreateFederatedBundleResponse>, Status> {
        not_served("BatchCreateFederatedBundle")
    }

    async fn batch_update_federated_bundle(
        &self,
        _: Request<BatchUpdateFederatedBundleRequest>,
    ) -> Result<Response<BatchUpdateFederatedBundleResponse>, Status> {
        not_served("BatchUpdateFederatedBundle")
    }

    async fn batch_set_federated_bundle(
        &self,
        _: Request<BatchSetFederatedBundleRequest>,
    ) -> Result<Response<BatchSetFederatedBundleResponse>, Status> {
        not_served("BatchSetFederatedBundle")
    }

    async fn batch_delete_federated_bundle(
        &self,
        _: Request<BatchDeleteFederatedBundleRequest>,
    ) -> Result<Response<BatchDeleteFederatedBundleResponse>, Status> {
        not_served("BatchDeleteFederatedBundle")
    }
}

#[cfg(test)]
mod tests;
