//! JWT-SVIDs on demand, and the live bundles that verify those of others.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId, Verified};
use finial_wire::client::WorkloadClient;
use futures_util::stream::BoxStream;
use tonic::Status;

use crate::follow::{Feed, follow};
use crate::{Endpoint, Live, LiveWriter, NotLive, ReceiveError, connect};

/// How long the agent may take for one token; it may have to ask its server.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// JWT-SVIDs and JWT bundles from the Workload API. Clones share the connection and the bundles.
#[derive(Clone, Debug)]
pub struct JwtSource {
    client: WorkloadClient,
    bundles: Live<BundleSet>,
    clock: Clock,
}

impl JwtSource {
    /// Tokens from the agent at `endpoint`, and its JWT bundles kept current over one open stream.
    ///
    /// Must be called inside a Tokio runtime; ends with `tasks`, or with the last clone of the source.
    pub fn from_workload_api(endpoint: &Endpoint, clock: &Clock, tasks: &Tasks) -> JwtSource {
        let client = WorkloadClient::new(connect(endpoint));
        let (writer, bundles) = Live::channel();
        let (abandoned, drain) = (writer.abandoned(), tasks.drain());
        let feed = JwtFeed { client: client.clone(), writer };
        let following = follow(feed, clock.clone());
        tasks.spawn("jwt bundles", async move {
            tokio::select! {
                () = following => {}
                () = drain.requested() => {}
                () = abandoned => {}
            }
        });
        JwtSource { client, bundles, clock: clock.clone() }
    }

    /// The live JWT bundles.
    pub fn bundles(&self) -> &Live<BundleSet> {
        &self.bundles
    }

    /// Resolves when the first JWT bundles have come.
    ///
    /// # Errors
    /// As [`Live::ready`].
    pub async fn ready(&self) -> Result<Arc<BundleSet>, NotLive> {
        self.bundles.ready().await
    }

    /// A token for `audience`: of `id`, else of the default identity. Never cached here: the agent does that.
    ///
    /// # Errors
    /// When the agent refuses or does not answer within 10 s, and when what it answers was not asked for.
    pub async fn fetch_jwt_svid(
        &self,
        audience: &Audience,
        id: Option<&SpiffeId>,
    ) -> Result<JwtSvid, ReceiveError> {
        let svids = self.call("FetchJWTSVID", self.client.jwt_svids(audience, id)).await?;
        let svid = svids.into_iter().next().ok_or(ReceiveError::NoJwt)?;
        self.asked_for(svid, audience, id)
    }

    /// A token for `audience` of each identity of this process, with the hint of the operator.
    ///
    /// # Errors
    /// As [`fetch_jwt_svid`](Self::fetch_jwt_svid).
    pub async fn fetch_jwt_svids(&self, audience: &Audience) -> Result<Vec<JwtSvid>, ReceiveError> {
        let svids = self.call("FetchJWTSVID", self.client.jwt_svids(audience, None)).await?;
        svids.into_iter().map(|svid| self.asked_for(svid, audience, None)).collect()
    }

    fn asked_for(
        &self,
        svid: JwtSvid,
        audience: &Audience,
        id: Option<&SpiffeId>,
    ) -> Result<JwtSvid, ReceiveError> {
        match difference(&svid, audience, id, &self.clock) {
            Some(fault) => Err(ReceiveError::OtherJwt { id: svid.id().clone(), fault }),
            None => Ok(svid),
        }
    }

    /// Lets the agent validate a token for `audience` (SPIFFE Workload API §6.3 prefers this to
    /// [`verify`](Self::verify)).
    ///
    /// # Errors
    /// [`ReceiveError::Refused`] with `InvalidArgument` when the token is not valid.
    pub async fn validate(&self, audience: &str, token: &str) -> Result<JwtSvid, ReceiveError> {
        self.call("ValidateJWTSVID", self.client.validate_jwt_svid(audience, token)).await
    }

    /// Verifies a token for `audience` in this process, against the current bundles.
    ///
    /// # Errors
    /// [`ReceiveError::NotLive`] without bundles, [`ReceiveError::Jwt`] when the token is not valid.
    pub fn verify(&self, audience: &str, token: &str) -> Result<Verified<JwtSvid>, ReceiveError> {
        let bundles = self.bundles.current()?;
        JwtSvid::verify(token, audience, &bundles, self.clock.now())
            .map_err(|cause| ReceiveError::Jwt(Box::new(cause)))
    }

    async fn call<T>(
        &self,
        rpc: &'static str,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, ReceiveError> {
        let answer = self.clock.timeout(CALL_LIMIT, call).await;
        answer
            .map_err(|_| ReceiveError::Unanswered { rpc, limit: CALL_LIMIT })?
            .map_err(|status| ReceiveError::Refused { rpc, status: Box::new(status) })
    }
}

/// How a token differs from what was asked for.
fn difference(
    svid: &JwtSvid,
    audience: &Audience,
    id: Option<&SpiffeId>,
    clock: &Clock,
) -> Option<&'static str> {
    if id.is_some_and(|id| id != svid.id()) {
        Some("is of another identity")
    } else if audience.iter().any(|wanted| !svid.audience().iter().any(|held| held == wanted)) {
        Some("is not for the audience that was asked for")
    } else if svid.expires_at() <= clock.now() {
        Some("has expired already")
    } else {
        None
    }
}

struct JwtFeed {
    client: WorkloadClient,
    writer: LiveWriter<BundleSet>,
}

#[async_trait::async_trait]
impl Feed for JwtFeed {
    type Message = BundleSet;
    const RPC: &'static str = "FetchJWTBundles";

    async fn open(&self) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        self.client.jwt_bundles().await
    }

    fn take(&mut self, bundles: BundleSet) {
        self.writer.publish(bundles);
    }

    fn withdraw(&mut self, reason: String) {
        self.writer.withdraw(reason);
    }
}
