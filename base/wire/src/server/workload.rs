//! SpiffeWorkloadAPI: a process learns its identities and whom to trust.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId};
use futures_util::stream::{BoxStream, StreamExt};
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, security_header};
use crate::convert::{svid, workload as convert};
use crate::error::WireError;
use crate::proto::workload::spiffe_workload_api_server::{SpiffeWorkloadApi, SpiffeWorkloadApiServer};
use crate::proto::workload::*;
use crate::{MAX_WORKLOAD_REQUEST_BYTES, X509Context};

/// What an agent does for a workload. The adapter has checked the security header before.
///
/// A caller who is nobody gets PermissionDenied; so does the stream of one who no longer is anybody (WAP-16).
#[async_trait]
pub trait WorkloadApi: Send + Sync + 'static {
    /// The caller's identities and bundles: now, and again whenever they change.
    async fn x509_svids(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<X509Context, Status>>, Status>;

    /// The bundles for X.509-SVIDs: now, and again whenever they change.
    async fn x509_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status>;

    /// The bundles for JWT-SVIDs: now, and again whenever they change.
    async fn jwt_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status>;

    /// JWT-SVIDs of all the caller's identities, or of the one asked for.
    async fn jwt_svids(
        &self,
        ctx: &Extensions,
        audience: Audience,
        id: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status>;

    /// Checks a JWT-SVID on the caller's behalf; InvalidArgument when it is no good.
    async fn validate_jwt_svid(
        &self,
        ctx: &Extensions,
        audience: String,
        token: String,
    ) -> Result<JwtSvid, Status>;
}

/// Puts a [`WorkloadApi`] on the wire.
pub fn workload_service(api: Arc<dyn WorkloadApi>) -> impl GrpcService {
    SpiffeWorkloadApiServer::new(Adapter(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

struct Adapter(Arc<dyn WorkloadApi>);

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// Every method begins with this: no request is looked at before its header was.
fn admit<T>(request: Request<T>) -> Result<(Extensions, T), Status> {
    security_header::check(request.metadata())?;
    Ok(super::split(request))
}

#[async_trait]
impl SpiffeWorkloadApi for Adapter {
    type FetchX509SVIDStream = Answers<X509svidResponse>;
    type FetchX509BundlesStream = Answers<X509BundlesResponse>;
    type FetchJWTBundlesStream = Answers<JwtBundlesResponse>;
    type FetchWITSVIDStream = Answers<WitsvidResponse>;
    type FetchWITBundlesStream = Answers<WitBundlesResponse>;

    async fn fetch_x509svid(
        &self,
        request: Request<X509svidRequest>,
    ) -> Result<Response<Self::FetchX509SVIDStream>, Status> {
        let (ctx, _) = admit(request)?;
        let contexts = self.0.x509_svids(&ctx).await?;
        Ok(Response::new(contexts.map(|context| convert::to_x509_response(&context?)).boxed()))
    }

    async fn fetch_x509_bundles(
        &self,
        request: Request<X509BundlesRequest>,
    ) -> Result<Response<Self::FetchX509BundlesStream>, Status> {
        let (ctx, _) = admit(request)?;
        let bundles = self.0.x509_bundles(&ctx).await?;
        Ok(Response::new(bundles.map(|bundles| Ok(convert::to_x509_bundles(&bundles?))).boxed()))
    }

    async fn fetch_jwtsvid(
        &self,
        request: Request<JwtsvidRequest>,
    ) -> Result<Response<JwtsvidResponse>, Status> {
        let (ctx, request) = admit(request)?;
        let audience = svid::audience(request.audience).map_err(WireError::refusal)?;
        let id = convert::requested_id(&request.spiffe_id).map_err(WireError::refusal)?;
        let svids = self.0.jwt_svids(&ctx, audience, id).await?;
        if svids.is_empty() {
            return Err(Status::permission_denied("no identity issued"));
        }
        Ok(Response::new(JwtsvidResponse { svids: svids.iter().map(convert::to_jwt_svid).collect() }))
    }

    async fn fetch_jwt_bundles(
        &self,
        request: Request<JwtBundlesRequest>,
    ) -> Result<Response<Self::FetchJWTBundlesStream>, Status> {
        let (ctx, _) = admit(request)?;
        let bundles = self.0.jwt_bundles(&ctx).await?;
        Ok(Response::new(bundles.map(|bundles| Ok(convert::to_jwt_bundles(&bundles?))).boxed()))
    }

    async fn validate_jwtsvid(
        &self,
        request: Request<ValidateJwtsvidRequest>,
    ) -> Result<Response<ValidateJwtsvidResponse>, Status> {
        let (ctx, request) = admit(request)?;
        if request.audience.is_empty() {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        if request.svid.is_empty() {
            return Err(Status::invalid_argument("svid must be specified"));
        }
        let svid = self.0.validate_jwt_svid(&ctx, request.audience, request.svid).await?;
        Ok(Response::new(convert::to_validated(&svid)))
    }

    async fn fetch_witsvid(
        &self,
        request: Request<WitsvidRequest>,
    ) -> Result<Response<Self::FetchWITSVIDStream>, Status> {
        admit(request)?;
        super::not_served("FetchWITSVID")
    }

    async fn fetch_wit_bundles(
        &self,
        request: Request<WitBundlesRequest>,
    ) -> Result<Response<Self::FetchWITBundlesStream>, Status> {
        admit(request)?;
        super::not_served("FetchWITBundles")
    }
}

#[cfg(test)]
mod tests;
