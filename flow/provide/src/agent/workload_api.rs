//! The Workload API: each caller is attested, matched with the entries, and answered from the snapshot.

mod caller;
mod entitlement;
mod limits;
mod subscription;
mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::WorkloadAttestors;
use finial_daemon::Clock;
use finial_identity::{Audience, BundleSet, Entry, JwtSvid, SpiffeId};
use finial_wire::X509Context;
use finial_wire::server::WorkloadApi;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use tonic::{Extensions, Status};

use self::caller::Caller;
use self::entitlement::Entitlement;
use self::limits::StreamTable;
use self::subscription::Subscription;
use self::views::{JwtBundles, View, X509Bundles, X509Identities};
use super::cache::Cache;
use super::issuance::describe;
use super::snapshot::AgentSnapshot;

pub use self::caller::WorkloadPeer;
pub use self::limits::StreamLimits;

/// How many JWT-SVIDs of one caller are fetched at a time.
const JWT_SVIDS_AT_ONCE: usize = 8;

/// The claims of a foreign trust domain's token that a workload is told (SPIRE's choice): those that SPIFFE gives a
/// meaning. Anybody there may put anything into the others.
const FOREIGN_CLAIMS: [&str; 3] = ["sub", "exp", "aud"];

/// The Workload API of one agent.
#[derive(Debug)]
pub struct Workloads {
    cache: Cache,
    attestors: Arc<WorkloadAttestors>,
    streams: Arc<StreamTable>,
    clock: Clock,
}

impl Workloads {
    /// Serves what `cache` holds to the processes that `attestors` recognize.
    ///
    /// Each request must carry a [`WorkloadPeer`], which the accept loop gives as its connect info.
    pub fn new(cache: Cache, attestors: Arc<WorkloadAttestors>, limits: StreamLimits, clock: Clock) -> Self {
        Self { cache, attestors, streams: Arc::new(StreamTable::new(limits)), clock }
    }

    /// Opens a stream that sends a view now, and again whenever it differs for this caller.
    async fn stream<V: View>(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<V::Message, Status>>, Status> {
        let (caller, _) = self.caller(ctx).await?;
        let place = self.streams.open(caller.process())?;
        let mut subscription: Subscription<V> =
            Subscription::new(self.cache.clone(), self.clock.clone(), caller);
        // The first answer is awaited here, so that a caller without identity gets its refusal as the call's status.
        let first = subscription.next().await?;
        let later = stream::try_unfold((subscription, place), |(mut subscription, place)| async move {
            let message = subscription.next().await?;
            Ok(Some((message, (subscription, place))))
        });
        Ok(stream::iter([Ok(first)]).chain(later).boxed())
    }

    /// The caller of a request, and what the agent holds, once it has heard its server.
    async fn caller(&self, ctx: &Extensions) -> Result<(Caller, Arc<AgentSnapshot>), Status> {
        let snapshot = self.cache.synced(&self.clock).await?;
        Ok((Caller::attest(ctx, &self.attestors).await?, snapshot))
    }

    async fn jwt_svid(&self, entry: Arc<Entry>, audience: &Audience) -> Result<JwtSvid, Status> {
        let svid = self.cache.jwt_svid(&entry, audience).await?;
        Ok(svid.with_hint(entry.hint.as_str()))
    }
}

#[async_trait]
impl WorkloadApi for Workloads {
    async fn x509_svids(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<X509Context, Status>>, Status> {
        self.stream::<X509Identities>(ctx).await
    }

    async fn x509_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        self.stream::<X509Bundles>(ctx).await
    }

    async fn jwt_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        self.stream::<JwtBundles>(ctx).await
    }

    async fn jwt_svids(
        &self,
        ctx: &Extensions,
        audience: Audience,
        id: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        let (mut caller, snapshot) = self.caller(ctx).await?;
        let wanted = Entitlement::named(&caller, snapshot.entries(), id.as_ref())?;
        let fetch: Vec<_> =
            wanted.entries().iter().map(|entry| self.jwt_svid(Arc::clone(entry), &audience)).collect();
        let svids = stream::iter(fetch).buffered(JWT_SVIDS_AT_ONCE).try_collect().await?;
        // The server may have taken its time: who asked, and what it may have, is looked at again.
        caller.grow_stale();
        caller.confirm().await?;
        let now = Entitlement::named(&caller, self.cache.snapshot().entries(), id.as_ref())?;
        if wanted.entries().iter().all(|entry| now.covers(entry)) {
            Ok(svids)
        } else {
            Err(entitlement::no_identity())
        }
    }

    async fn validate_jwt_svid(
        &self,
        ctx: &Extensions,
        audience: String,
        token: String,
    ) -> Result<JwtSvid, Status> {
        if audience.is_empty() {
            return Err(Status::invalid_argument("audience must be specified"));
        }
        let (caller, snapshot) = self.caller(ctx).await?;
        let bundles = Entitlement::of(&caller, snapshot.entries())?.bundle_set(&snapshot);
        let verified = JwtSvid::verify(&token, &audience, &bundles, self.clock.now());
        let svid = verified.map_err(|error| Status::invalid_argument(describe(&error)))?.into_inner();
        if svid.id().is_member_of(snapshot.trust_domain()) {
            return Ok(svid);
        }
        Ok(svid.retain_claims(|name| FOREIGN_CLAIMS.contains(&name)))
    }
}
