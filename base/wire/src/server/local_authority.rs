//! spire.api.server.localauthority.v1.LocalAuthority: an operator turns the signing authorities by hand.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, not_served, split};
use crate::convert::authority::to_authority as state;
use crate::proto::local_authority::local_authority_server::{LocalAuthority, LocalAuthorityServer};
use crate::proto::local_authority::*;
use crate::{AuthorityState, AuthorityStates, LocalAuthorityKind as Kind, MAX_REQUEST_BYTES};

/// What a server does with its own authorities of either kind when told to.
#[async_trait]
pub trait LocalAuthorityApi: Send + Sync + 'static {
    /// How they stand.
    async fn authorities(&self, ctx: &Extensions, kind: Kind) -> Result<AuthorityStates, Status>;

    /// Makes the next one and publishes it.
    async fn prepare(&self, ctx: &Extensions, kind: Kind) -> Result<AuthorityState, Status>;

    /// Signs with the prepared one, which must have this ID, from now on.
    async fn activate(&self, ctx: &Extensions, kind: Kind, id: String) -> Result<AuthorityState, Status>;

    /// Marks the old one, which must have this ID, as compromised.
    async fn taint(&self, ctx: &Extensions, kind: Kind, id: String) -> Result<AuthorityState, Status>;

    /// Takes the old one, which must have this ID, out of the bundle.
    async fn revoke(&self, ctx: &Extensions, kind: Kind, id: String) -> Result<AuthorityState, Status>;
}

/// Puts a [`LocalAuthorityApi`] on the wire.
pub fn local_authority_service(api: Arc<dyn LocalAuthorityApi>) -> impl GrpcService {
    LocalAuthorityServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn LocalAuthorityApi>);

fn named(authority_id: String) -> Result<String, Status> {
    if authority_id.is_empty() {
        return Err(Status::invalid_argument("no authority ID provided"));
    }
    Ok(authority_id)
}

#[async_trait]
impl LocalAuthority for Adapter {
    async fn get_x509_authority_state(
        &self,
        request: Request<GetX509AuthorityStateRequest>,
    ) -> Result<Response<GetX509AuthorityStateResponse>, Status> {
        let states = self.0.authorities(&split(request).0, Kind::X509).await?;
        Ok(Response::new(GetX509AuthorityStateResponse {
            active: states.active.map(state),
            prepared: states.prepared.map(state),
            old: states.old.map(state),
        }))
    }

    async fn prepare_x509_authority(
        &self,
        request: Request<PrepareX509AuthorityRequest>,
    ) -> Result<Response<PrepareX509AuthorityResponse>, Status> {
        let prepared = self.0.prepare(&split(request).0, Kind::X509).await?;
        Ok(Response::new(PrepareX509AuthorityResponse { prepared_authority: Some(state(prepared)) }))
    }

    async fn activate_x509_authority(
        &self,
        request: Request<ActivateX509AuthorityRequest>,
    ) -> Result<Response<ActivateX509AuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let activated = self.0.activate(&ctx, Kind::X509, named(request.authority_id)?).await?;
        Ok(Response::new(ActivateX509AuthorityResponse { activated_authority: Some(state(activated)) }))
    }

    async fn taint_x509_authority(
        &self,
        request: Request<TaintX509AuthorityRequest>,
    ) -> Result<Response<TaintX509AuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let tainted = self.0.taint(&ctx, Kind::X509, named(request.authority_id)?).await?;
        Ok(Response::new(TaintX509AuthorityResponse { tainted_authority: Some(state(tainted)) }))
    }

    async fn revoke_x509_authority(
        &self,
        request: Request<RevokeX509AuthorityRequest>,
    ) -> Result<Response<RevokeX509AuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let revoked = self.0.revoke(&ctx, Kind::X509, named(request.authority_id)?).await?;
        Ok(Response::new(RevokeX509AuthorityResponse { revoked_authority: Some(state(revoked)) }))
    }

    async fn get_jwt_authority_state(
        &self,
        request: Request<GetJwtAuthorityStateRequest>,
    ) -> Result<Response<GetJwtAuthorityStateResponse>, Status> {
        let states = self.0.authorities(&split(request).0, Kind::Jwt).await?;
        Ok(Response::new(GetJwtAuthorityStateResponse {
            active: states.active.map(state),
            prepared: states.prepared.map(state),
            old: states.old.map(state),
        }))
    }

    async fn prepare_jwt_authority(
        &self,
        request: Request<PrepareJwtAuthorityRequest>,
    ) -> Result<Response<PrepareJwtAuthorityResponse>, Status> {
        let prepared = self.0.prepare(&split(request).0, Kind::Jwt).await?;
        Ok(Response::new(PrepareJwtAuthorityResponse { prepared_authority: Some(state(prepared)) }))
    }

    async fn activate_jwt_authority(
        &self,
        request: Request<ActivateJwtAuthorityRequest>,
    ) -> Result<Response<ActivateJwtAuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let activated = self.0.activate(&ctx, Kind::Jwt, named(request.authority_id)?).await?;
        Ok(Response::new(ActivateJwtAuthorityResponse { activated_authority: Some(state(activated)) }))
    }

    async fn taint_jwt_authority(
        &self,
        request: Request<TaintJwtAuthorityRequest>,
    ) -> Result<Response<TaintJwtAuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let tainted = self.0.taint(&ctx, Kind::Jwt, named(request.authority_id)?).await?;
        Ok(Response::new(TaintJwtAuthorityResponse { tainted_authority: Some(state(tainted)) }))
    }

    async fn revoke_jwt_authority(
        &self,
        request: Request<RevokeJwtAuthorityRequest>,
    ) -> Result<Response<RevokeJwtAuthorityResponse>, Status> {
        let (ctx, request) = split(request);
        let revoked = self.0.revoke(&ctx, Kind::Jwt, named(request.authority_id)?).await?;
        Ok(Response::new(RevokeJwtAuthorityResponse { revoked_authority: Some(state(revoked)) }))
    }

    async fn taint_x509_upstream_authority(
        &self,
        _: Request<TaintX509UpstreamAuthorityRequest>,
    ) -> Result<Response<TaintX509UpstreamAuthorityResponse>, Status> {
        not_served("TaintX509UpstreamAuthority")
    }

    async fn revoke_x509_upstream_authority(
        &self,
        _: Request<RevokeX509UpstreamAuthorityRequest>,
    ) -> Result<Response<RevokeX509UpstreamAuthorityResponse>, Status> {
        not_served("RevokeX509UpstreamAuthority")
    }

    async fn get_wit_authority_state(
        &self,
        _: Request<GetWitAuthorityStateRequest>,
    ) -> Result<Response<GetWitAuthorityStateResponse>, Status> {
        not_served("GetWITAuthorityState")
    }

    async fn prepare_wit_authority(
        &self,
        _: Request<PrepareWitAuthorityRequest>,
    ) -> Result<Response<PrepareWitAuthorityResponse>, Status> {
        not_served("PrepareWITAuthority")
    }

    async fn activate_wit_authority(
        &self,
        _: Request<ActivateWitAuthorityRequest>,
    ) -> Result<Response<ActivateWitAuthorityResponse>, Status> {
        not_served("ActivateWITAuthority")
    }

    async fn taint_wit_authority(
        &self,
        _: Request<TaintWitAuthorityRequest>,
    ) -> Result<Response<TaintWitAuthorityResponse>, Status> {
        not_served("TaintWITAuthority")
    }

    async fn revoke_wit_authority(
        &self,
        _: Request<RevokeWitAuthorityRequest>,
    ) -> Result<Response<RevokeWitAuthorityResponse>, Status> {
        not_served("RevokeWITAuthority")
    }
}

#[cfg(test)]
mod tests;
