//! spire.api.agent.delegatedidentity.v1.DelegatedIdentity: a process acts on behalf of others.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Audience, BundleSet, JwtSvid};
use futures_util::stream::{BoxStream, StreamExt};
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, split};
use crate::convert::{delegated as convert, svid};
use crate::error::WireError;
use crate::proto::delegated::delegated_identity_server::{DelegatedIdentity, DelegatedIdentityServer};
use crate::proto::delegated::*;
use crate::{DelegatedIdentities, DelegatedWorkload, MAX_WORKLOAD_REQUEST_BYTES};

/// What an agent does for a delegate. A caller who is none, or none any more, gets PermissionDenied.
#[async_trait]
pub trait DelegatedIdentityApi: Send + Sync + 'static {
    /// The workload's identities: now, and again whenever they change.
    async fn x509_svids(
        &self,
        ctx: &Extensions,
        workload: DelegatedWorkload,
    ) -> Result<BoxStream<'static, Result<DelegatedIdentities, Status>>, Status>;

    /// All bundles for X.509-SVIDs: now, and again whenever they change.
    async fn x509_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status>;

    /// JWT-SVIDs of all the workload's identities; PermissionDenied when there are none.
    async fn jwt_svids(
        &self,
        ctx: &Extensions,
        workload: DelegatedWorkload,
        audience: Audience,
    ) -> Result<Vec<JwtSvid>, Status>;

    /// All bundles for JWT-SVIDs: now, and again whenever they change.
    async fn jwt_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status>;
}

/// Puts a [`DelegatedIdentityApi`] on the wire.
pub fn delegated_identity_service(api: Arc<dyn DelegatedIdentityApi>) -> impl GrpcService {
    DelegatedIdentityServer::new(Adapter(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

struct Adapter(Arc<dyn DelegatedIdentityApi>);

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[async_trait]
impl DelegatedIdentity for Adapter {
    type SubscribeToX509SVIDsStream = Answers<SubscribeToX509sviDsResponse>;
    type SubscribeToX509BundlesStream = Answers<SubscribeToX509BundlesResponse>;
    type SubscribeToJWTBundlesStream = Answers<SubscribeToJwtBundlesResponse>;

    async fn subscribe_to_x509svi_ds(
        &self,
        request: Request<SubscribeToX509sviDsRequest>,
    ) -> Result<Response<Self::SubscribeToX509SVIDsStream>, Status> {
        let (ctx, request) = split(request);
        let workload = convert::workload(request.selectors, request.pid)?;
        let identities = self.0.x509_svids(&ctx, workload).await?;
        Ok(Response::new(identities.map(|identities| Ok(convert::to_identities(&identities?))).boxed()))
    }

    async fn subscribe_to_x509_bundles(
        &self,
        request: Request<SubscribeToX509BundlesRequest>,
    ) -> Result<Response<Self::SubscribeToX509BundlesStream>, Status> {
        let bundles = self.0.x509_bundles(&split(request).0).await?;
        Ok(Response::new(bundles.map(|bundles| Ok(convert::to_x509_bundles(&bundles?))).boxed()))
    }

    async fn fetch_jwtsvi_ds(
        &self,
        request: Request<FetchJwtsviDsRequest>,
    ) -> Result<Response<FetchJwtsviDsResponse>, Status> {
        let (ctx, request) = split(request);
        if request.audience.is_empty() {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        let audience = svid::audience(request.audience).map_err(WireError::refusal)?;
        let workload = convert::workload(request.selectors, request.pid)?;
        let svids = self.0.jwt_svids(&ctx, workload, audience).await?;
        Ok(Response::new(FetchJwtsviDsResponse { svids: svids.iter().map(svid::to_jwt_svid).collect() }))
    }

    async fn subscribe_to_jwt_bundles(
        &self,
        request: Request<SubscribeToJwtBundlesRequest>,
    ) -> Result<Response<Self::SubscribeToJWTBundlesStream>, Status> {
        let bundles = self.0.jwt_bundles(&split(request).0).await?;
        Ok(Response::new(bundles.map(|bundles| Ok(convert::to_jwt_bundles(&bundles?))).boxed()))
    }
}

#[cfg(test)]
mod tests;
