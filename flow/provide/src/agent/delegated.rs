//! Delegated identity: a process that the configuration trusts asks for the identities of others on its node.

mod principal;
mod subscription;
mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::WorkloadAttestors;
use finial_authorize::Delegates;
use finial_daemon::Clock;
use finial_identity::{Audience, BundleSet, Entry, JwtSvid};
use finial_wire::server::DelegatedIdentityApi;
use finial_wire::{DelegatedIdentities, DelegatedWorkload};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use tonic::{Extensions, Status};

use self::principal::{Delegate, Workload};
use self::subscription::Subscription;
use self::views::{Identities, JwtBundles, View, X509Bundles};
use super::cache::Cache;
use super::snapshot::AgentSnapshot;
use super::workload_api::entitlement::no_identity;
use super::workload_api::limits::{StreamLimits, StreamTable};

/// How many JWT-SVIDs of one workload are fetched at a time.
const JWT_SVIDS_AT_ONCE: usize = 8;

/// The delegated identity API of one agent.
#[derive(Debug)]
pub struct DelegatedIdentity {
    cache: Cache,
    attestors: Arc<WorkloadAttestors>,
    delegates: Arc<Delegates>,
    streams: Arc<StreamTable>,
    clock: Clock,
}

impl DelegatedIdentity {
    /// Serves what `cache` holds to those of the processes that `attestors` recognize who are among `delegates`.
    ///
    /// Each request must carry a [`WorkloadPeer`](crate::WorkloadPeer), as those of the Workload API.
    pub fn new(
        cache: Cache,
        attestors: Arc<WorkloadAttestors>,
        delegates: Delegates,
        limits: StreamLimits,
        clock: Clock,
    ) -> Self {
        let streams = Arc::new(StreamTable::new(limits));
        Self { cache, attestors, delegates: Arc::new(delegates), streams, clock }
    }

    /// Who asks, once the agent has heard its server: proven to be a delegate now, and asked again for each answer.
    async fn delegate(&self, ctx: &Extensions) -> Result<(Delegate, Arc<AgentSnapshot>), Status> {
        self.cache.synced(&self.clock).await?;
        let delegate = Delegate::attest(ctx, &self.attestors, &self.delegates).await?;
        let snapshot = self.cache.snapshot();
        delegate.authorize(snapshot.entries())?;
        Ok((delegate, snapshot))
    }

    /// Opens a stream that sends a view now, and again whenever it differs.
    async fn stream<V: View>(
        &self,
        delegate: Delegate,
        workload: Option<Workload>,
    ) -> Result<BoxStream<'static, Result<V::Message, Status>>, Status> {
        let place = self.streams.open(delegate.process())?;
        let mut subscription: Subscription<V> =
            Subscription::new(self.cache.clone(), self.clock.clone(), delegate, workload);
        // The first answer is awaited here, so that a refusal is the call's status.
        let first = subscription.next().await?;
        let later = stream::try_unfold((subscription, place), |(mut subscription, place)| async move {
            let message = subscription.next().await?;
            Ok(Some((message, (subscription, place))))
        });
        Ok(stream::iter([Ok(first)]).chain(later).boxed())
    }

    async fn jwt_svid(&self, entry: Arc<Entry>, audience: &Audience) -> Result<JwtSvid, Status> {
        let svid = self.cache.jwt_svid(&entry, audience).await?;
        Ok(svid.with_hint(entry.hint.as_str()))
    }
}

#[async_trait]
impl DelegatedIdentityApi for DelegatedIdentity {
    async fn x509_svids(
        &self,
        ctx: &Extensions,
        workload: DelegatedWorkload,
    ) -> Result<BoxStream<'static, Result<DelegatedIdentities, Status>>, Status> {
        let (delegate, _) = self.delegate(ctx).await?;
        let workload = Workload::find(workload, &self.attestors).await?;
        self.stream::<Identities>(delegate, Some(workload)).await
    }

    async fn x509_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        let (delegate, _) = self.delegate(ctx).await?;
        self.stream::<X509Bundles>(delegate, None).await
    }

    async fn jwt_svids(
        &self,
        ctx: &Extensions,
        workload: DelegatedWorkload,
        audience: Audience,
    ) -> Result<Vec<JwtSvid>, Status> {
        let (mut delegate, snapshot) = self.delegate(ctx).await?;
        let mut workload = Workload::find(workload, &self.attestors).await?;
        let wanted = workload.entries(&delegate.authorize(snapshot.entries())?, snapshot.entries());
        if wanted.is_empty() {
            return Err(no_identity());
        }
        let fetch: Vec<_> = wanted.iter().map(|entry| self.jwt_svid(Arc::clone(entry), &audience)).collect();
        let svids = stream::iter(fetch).buffered(JWT_SVIDS_AT_ONCE).try_collect().await?;
        // The server may have taken its time: who asked, for whom, and what they may have, is looked at again.
        delegate.grow_stale();
        workload.grow_stale();
        delegate.confirm().await?;
        workload.confirm().await?;
        let snapshot = self.cache.snapshot();
        let now = workload.entries(&delegate.authorize(snapshot.entries())?, snapshot.entries());
        let is_kept = |entry: &Arc<Entry>| {
            now.iter().any(|kept| kept.id == entry.id && kept.spiffe_id == entry.spiffe_id)
        };
        if wanted.iter().all(is_kept) { Ok(svids) } else { Err(no_identity()) }
    }

    async fn jwt_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        let (delegate, _) = self.delegate(ctx).await?;
        self.stream::<JwtBundles>(delegate, None).await
    }
}
