//! The Workload API: each caller is attested, matched with the entries, and answered from the snapshot.

pub(in crate::agent) mod caller;
pub(in crate::agent) mod entitlement;
pub(in crate::agent) mod limits;
mod options;
pub(in crate::agent) mod rates;
pub(in crate::agent) mod subscription;
mod verified;
pub(in crate::agent) mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::WorkloadAttestors;
use finial_daemon::Clock;
use finial_daemon::metrics::Counter;
use finial_identity::{Audience, BundleSet, Entry, JwtSvid, SpiffeId};
use finial_wire::X509Context;
use finial_wire::server::WorkloadApi;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use tonic::{Extensions, Status};

use self::caller::Caller;
use self::entitlement::Entitlement;
use self::limits::StreamTable;
use self::rates::{RatedCall, Rates};
use self::subscription::Subscription;
use self::verified::VerifiedTokens;
use self::views::{JwtBundles, View, X509Bundles, X509Identities};
use super::cache::Cache;
use super::issuance::describe;
use super::snapshot::AgentSnapshot;

pub use self::caller::WorkloadPeer;
pub use self::limits::StreamLimits;
pub use self::options::WorkloadOptions;
pub use self::rates::RateLimits;

/// How many JWT-SVIDs of one caller are fetched at a time.
const JWT_SVIDS_AT_ONCE: usize = 8;

/// The claims of a foreign trust domain's token that a workload is told in any case (SPIRE's choice): those that SPIFFE
/// gives a meaning.
const FOREIGN_CLAIMS: [&str; 3] = ["sub", "exp", "aud"];

/// The Workload API of one agent.
#[derive(Debug)]
pub struct Workloads {
    cache: Cache,
    attestors: Arc<WorkloadAttestors>,
    streams: Arc<StreamTable>,
    rates: Rates,
    verified: VerifiedTokens,
    allow_unauthenticated_verifiers: bool,
    allowed_foreign_jwt_claims: Vec<String>,
    clock: Clock,
}

impl Workloads {
    /// Serves what `cache` holds to the processes that `attestors` recognize.
    ///
    /// Each request must carry a [`WorkloadPeer`], which the accept loop gives as its connect info.
    pub fn new(
        cache: Cache,
        attestors: Arc<WorkloadAttestors>,
        options: WorkloadOptions,
        clock: Clock,
    ) -> Self {
        let rates = Rates::new(options.rates, cache.meters().clone(), clock.clone());
        Self {
            cache,
            attestors,
            streams: Arc::new(StreamTable::new(options.streams)),
            rates,
            verified: VerifiedTokens::default(),
            allow_unauthenticated_verifiers: options.allow_unauthenticated_verifiers,
            allowed_foreign_jwt_claims: options.allowed_foreign_jwt_claims,
            clock,
        }
    }

    /// Opens a stream that sends a view now, and again whenever it differs for this caller.
    async fn stream<V: View>(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<V::Message, Status>>, Status> {
        let (caller, _) = self.caller(ctx).await?;
        self.rates.admit(V::CALL, caller.attested())?;
        let place = self.streams.open(caller.process())?;
        let nobody_too = V::IS_FOR_VERIFIERS && self.allow_unauthenticated_verifiers;
        let mut subscription: Subscription<V> =
            Subscription::new(self.cache.clone(), self.clock.clone(), caller, nobody_too);
        // The first answer is awaited here, so that a caller without identity gets its refusal as the call's status.
        let first = subscription.next().await?;
        let later = stream::try_unfold((subscription, place), |(mut subscription, place)| async move {
            let message = subscription.next().await?;
            Ok(Some((message, (subscription, place))))
        });
        let told = (V::CALL == RatedCall::FetchJwtBundles).then(|| self.cache.meters().jwt_bundles.clone());
        let messages = stream::iter([Ok(first)]).chain(later);
        Ok(messages.inspect_ok(move |_| told.iter().for_each(Counter::add)).boxed())
    }

    /// The caller of a request, and what the agent holds, once it has heard its server.
    async fn caller(&self, ctx: &Extensions) -> Result<(Caller, Arc<AgentSnapshot>), Status> {
        self.cache.synced(&self.clock).await?;
        let caller = Caller::attest(ctx, &self.attestors).await?;
        Ok((caller, self.cache.snapshot()))
    }

    /// The tokens of all these entries, if each has a good one: nothing is waited for.
    fn kept_jwt_svids(&self, entitlement: &Entitlement, audience: &Audience) -> Option<Vec<JwtSvid>> {
        let kept = |entry: &Arc<Entry>| {
            let svid = self.cache.kept_jwt_svid(entry, audience)?;
            Some(svid.with_hint(entry.hint.as_str()))
        };
        entitlement.entries().iter().map(kept).collect()
    }

    /// What a caller without identity is entitled to: the own bundle, where that is allowed.
    fn verifier(&self, refusal: Status) -> Result<Entitlement, Status> {
        if self.allow_unauthenticated_verifiers { Ok(Entitlement::of_nobody()) } else { Err(refusal) }
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
        self.rates.admit(RatedCall::FetchJwtSvid, caller.attested())?;
        let wanted = Entitlement::named(&caller, snapshot.entries(), id.as_ref())?;
        if let Some(kept) = self.kept_jwt_svids(&wanted, &audience) {
            // The caller was attested, and matched with what the agent holds, a moment ago.
            return Ok(kept);
        }
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
            Err(entitlement::refusal(caller.attested()))
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
        let entitlement = Entitlement::of(&caller, snapshot.entries());
        let entitlement = entitlement.or_else(|refusal| self.verifier(refusal))?;
        let bundles = entitlement.bundle_set(&snapshot);
        let svid = self.verified.verify(&token, &audience, &bundles, self.clock.now());
        let svid = svid.map_err(|error| Status::invalid_argument(describe(&error)))?;
        if svid.id().is_member_of(snapshot.trust_domain()) {
            return Ok(svid);
        }
        let is_told = |name: &str| {
            FOREIGN_CLAIMS.contains(&name)
                || self.allowed_foreign_jwt_claims.iter().any(|claim| claim == name)
        };
        Ok(svid.retain_claims(is_told))
    }
}
