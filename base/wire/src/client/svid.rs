//! Asks spire.api.server.svid.v1.SVID.

use std::time::Duration;

use finial_identity::{Audience, EntryId, JwtSvid, SpiffeId, X509Svid};
use tonic::Status;
use tonic::transport::Channel;

use super::same_count;
use crate::convert::{id as ids, status, svid as convert, time};
use crate::error::WireError;
use crate::proto::svid::svid_client::SvidClient as Stub;
use crate::proto::svid::{
    BatchNewX509svidRequest, MintJwtsvidRequest, MintX509svidRequest, NewJwtsvidRequest, NewX509svidParams,
};
use crate::{MAX_ANSWER_BYTES, MAX_BATCH};

/// Asks a server for SVIDs.
#[derive(Clone, Debug)]
pub struct SvidClient(Stub<Channel>);

impl SvidClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// One outcome for each entry and CSR, in their order. More than [`MAX_BATCH`] go in several calls.
    ///
    /// # Errors
    /// The server's refusal of a whole call.
    pub async fn new_x509_svids(
        &self,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let params = requests.by_ref().take(MAX_BATCH);
            let params = params.map(|(id, csr)| NewX509svidParams { entry_id: id.as_str().to_owned(), csr });
            let request = BatchNewX509svidRequest { params: params.collect() };
            let asked = request.params.len();
            let answer = self.0.clone().batch_new_x509svid(request).await?.into_inner();
            outcomes.extend(same_count(answer.results, asked)?.into_iter().map(|result| {
                status::result(result.status)?;
                convert::x509_svid(result.svid).map_err(WireError::bad_answer)
            }));
        }
        Ok(outcomes)
    }

    /// A JWT-SVID for one entry.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn new_jwt_svid(&self, entry: &EntryId, audience: &Audience) -> Result<JwtSvid, Status> {
        let audience = audience.iter().map(str::to_owned).collect();
        let request = NewJwtsvidRequest { entry_id: entry.as_str().to_owned(), audience };
        let answer = self.0.clone().new_jwtsvid(request).await?.into_inner();
        convert::jwt_svid(answer.svid).map_err(WireError::bad_answer)
    }

    /// An X.509-SVID for what a DER CSR asks for. No `ttl`: the server's default; parts of a second are rounded up.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn mint_x509_svid(&self, csr: Vec<u8>, ttl: Option<Duration>) -> Result<X509Svid, Status> {
        let request = MintX509svidRequest { csr, ttl: time::ttl_seconds(ttl) };
        let answer = self.0.clone().mint_x509svid(request).await?.into_inner();
        convert::x509_svid(answer.svid).map_err(WireError::bad_answer)
    }

    /// A JWT-SVID for an identity by name. No `ttl`: the server's default; parts of a second are rounded up.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn mint_jwt_svid(
        &self,
        id: &SpiffeId,
        audience: &Audience,
        ttl: Option<Duration>,
    ) -> Result<JwtSvid, Status> {
        let request = MintJwtsvidRequest {
            id: Some(ids::to_spiffe_id(id)),
            audience: audience.iter().map(str::to_owned).collect(),
            ttl: time::ttl_seconds(ttl),
        };
        let answer = self.0.clone().mint_jwtsvid(request).await?.into_inner();
        convert::jwt_svid(answer.svid).map_err(WireError::bad_answer)
    }
}
