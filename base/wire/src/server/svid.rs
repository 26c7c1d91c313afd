//! spire.api.server.svid.v1.SVID: agents get SVIDs for their workloads, and operators mint.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{Audience, EntryId, JwtSvid, SpiffeId, X509Svid};
use tonic::{Code, Extensions, Request, Response, Status};

use super::{GrpcService, not_served, split};
use crate::MAX_REQUEST_BYTES;
use crate::convert::{batch, entry, id as ids, status, svid as convert, time};
use crate::error::WireError;
use crate::proto::svid::batch_new_x509svid_response::Result as Item;
use crate::proto::svid::svid_server;
use crate::proto::svid::*;

/// What a server issues.
#[async_trait]
pub trait SvidApi: Send + Sync + 'static {
    /// One outcome for each entry and CSR, in their order. A CSR gives only a public key.
    ///
    /// # Errors
    /// The refusal of the whole call, which, unlike one of a part, may say when to ask again.
    async fn new_x509_svids(
        &self,
        ctx: &Extensions,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status>;

    /// A JWT-SVID for one entry.
    async fn new_jwt_svid(
        &self,
        ctx: &Extensions,
        entry: EntryId,
        audience: Audience,
    ) -> Result<JwtSvid, Status>;

    /// An X.509-SVID for what the CSR itself asks for: an operator's word. No `ttl`: the server's default.
    async fn mint_x509_svid(
        &self,
        ctx: &Extensions,
        csr: Vec<u8>,
        ttl: Option<Duration>,
    ) -> Result<X509Svid, Status>;

    /// A JWT-SVID for the identity that an operator names. No `ttl`: the server's default.
    async fn mint_jwt_svid(
        &self,
        ctx: &Extensions,
        id: SpiffeId,
        audience: Audience,
        ttl: Option<Duration>,
    ) -> Result<JwtSvid, Status>;
}

/// Puts an [`SvidApi`] on the wire.
pub fn svid_service(api: Arc<dyn SvidApi>) -> impl GrpcService {
    svid_server::SvidServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn SvidApi>);

#[async_trait]
impl svid_server::Svid for Adapter {
    async fn batch_new_x509svid(
        &self,
        request: Request<BatchNewX509svidRequest>,
    ) -> Result<Response<BatchNewX509svidResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("svid requests", request.params.len())?;
        let mut results = Vec::with_capacity(request.params.len());
        let (mut places, mut wanted) = (Vec::new(), Vec::new());
        for (place, params) in request.params.into_iter().enumerate() {
            match convert::x509_params(params) {
                Ok(params) => {
                    places.push(place);
                    wanted.push(params);
                    let unanswered =
                        status::item(Code::Internal, "the server gave no outcome for this request");
                    results.push(Item { status: Some(unanswered), svid: None });
                }
                Err(error) => results.push(Item { status: Some(status::of(&error.refusal())), svid: None }),
            }
        }
        let outcomes = self.0.new_x509_svids(&ctx, wanted).await?;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            let (status, svid) = status::outcome(outcome);
            results[place] = Item { status: Some(status), svid: svid.as_ref().map(convert::to_x509_svid) };
        }
        Ok(Response::new(BatchNewX509svidResponse { results }))
    }

    async fn new_jwtsvid(
        &self,
        request: Request<NewJwtsvidRequest>,
    ) -> Result<Response<NewJwtsvidResponse>, Status> {
        let (ctx, request) = split(request);
        let id = entry::id(&request.entry_id).map_err(WireError::refusal)?;
        let audience = convert::audience(request.audience).map_err(WireError::refusal)?;
        let svid = self.0.new_jwt_svid(&ctx, id, audience).await?;
        Ok(Response::new(NewJwtsvidResponse { svid: Some(convert::to_jwt_svid(&svid)) }))
    }

    async fn mint_x509svid(
        &self,
        request: Request<MintX509svidRequest>,
    ) -> Result<Response<MintX509svidResponse>, Status> {
        let (ctx, request) = split(request);
        let csr = convert::csr(request.csr).map_err(WireError::refusal)?;
        let ttl = time::ttl("ttl", request.ttl).map_err(WireError::refusal)?;
        let svid = self.0.mint_x509_svid(&ctx, csr, ttl).await?;
        Ok(Response::new(MintX509svidResponse { svid: Some(convert::to_x509_svid(&svid)) }))
    }

    async fn mint_jwtsvid(
        &self,
        request: Request<MintJwtsvidRequest>,
    ) -> Result<Response<MintJwtsvidResponse>, Status> {
        let (ctx, request) = split(request);
        let id = ids::spiffe_id("SPIFFE ID", request.id).map_err(WireError::refusal)?;
        let audience = convert::audience(request.audience).map_err(WireError::refusal)?;
        let ttl = time::ttl("ttl", request.ttl).map_err(WireError::refusal)?;
        let svid = self.0.mint_jwt_svid(&ctx, id, audience, ttl).await?;
        Ok(Response::new(MintJwtsvidResponse { svid: Some(convert::to_jwt_svid(&svid)) }))
    }

    async fn new_downstream_x509ca(
        &self,
        _: Request<NewDownstreamX509caRequest>,
    ) -> Result<Response<NewDownstreamX509caResponse>, Status> {
        not_served("NewDownstreamX509CA")
    }

    async fn mint_witsvid(
        &self,
        _: Request<MintWitsvidRequest>,
    ) -> Result<Response<MintWitsvidResponse>, Status> {
        not_served("MintWITSVID")
    }

    async fn batch_new_witsvid(
        &self,
        _: Request<BatchNewWitsvidRequest>,
    ) -> Result<Response<BatchNewWitsvidResponse>, Status> {
        not_served("BatchNewWITSVID")
    }
}

#[cfg(test)]
mod tests;
