//! What the agent counts and measures, by SPIRE's names.

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_daemon::metrics::{CallStatus, Calls, Metrics};
use finial_identity::{Audience, Bundle, EntryId, JwtSvid, TrustDomain, X509Svid};
use finial_provide::{Cache, Known, Revisions, Upstream};
use finial_wire::client::SyncedEntries;
use tonic::Status;

/// What is counted of the agent's own identity. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct IdentityMeters {
    /// The node attests.
    pub(crate) new_svid: Calls,
    /// The agent's own SVID is renewed.
    pub(crate) rotate: Calls,
    /// A key for it is made.
    pub(crate) generate_key: Calls,
}

/// A server whose answers are counted and measured.
pub(crate) struct MeasuredUpstream<U> {
    upstream: U,
    clock: Clock,
    entries: Calls,
    svids: Calls,
}

impl IdentityMeters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            new_svid: metrics.calls("node.attestor.new_svid", "The agent attests its node."),
            rotate: metrics.calls("agent_svid.rotate", "The agent's own SVID is renewed."),
            generate_key: metrics
                .calls("agent_key_manager.generate_key_pair", "A key for the agent's own SVID is made."),
        }
    }
}

/// Notes how a call went that has no status of its own: that of its cause, where there is one.
pub(crate) async fn timed<T>(
    calls: &Calls,
    clock: &Clock,
    call: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let began = clock.monotonic();
    let outcome = call.await;
    let status = match &outcome {
        Ok(_) => CallStatus::OK,
        Err(error) => match error.downcast_ref::<Status>() {
            Some(status) => CallStatus::from_code(status.code().into()),
            None => CallStatus::UNKNOWN,
        },
    };
    calls.note(status, clock.monotonic().saturating_sub(began));
    outcome
}

/// What is looked up when somebody asks, rather than counted.
pub(crate) fn gauges(metrics: &Metrics, cache: &Cache, trust_domain: &TrustDomain) {
    let trust_domain = trust_domain.to_string();
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("trust_domain_id", trust_domain.as_str())];
    metrics.gauge("started", "The agent that runs.", &labels, || Some(1.0));
    let count = |key: &'static str, help, count: fn(&Cache) -> usize| {
        let cache = cache.clone();
        metrics.gauge(key, help, &[], move || Some(count(&cache) as f64));
    };
    count("lru_cache_record_map_size", "Entries that the agent is authorized for.", |cache| {
        cache.snapshot().entries().len()
    });
    count("lru_cache_svid_map_size", "X.509-SVIDs that the agent holds.", |cache| {
        cache.snapshot().credential_count()
    });
    count("jwt_svid_cache_size", "JWT-SVIDs that the agent holds.", Cache::jwt_svid_count);
    let state = cache.state();
    let last_sync = move || {
        let since = state.borrow().last_sync?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs_f64())
    };
    let help = "When the agent last heard its server in full, since 1970.";
    metrics.gauge("last_sync_timestamp_seconds", help, &[], last_sync);
}

impl<U: Upstream> MeasuredUpstream<U> {
    pub(crate) fn new(upstream: U, metrics: &Metrics, clock: &Clock) -> Arc<Self> {
        let entries = metrics.calls("manager.sync.fetch_entries_updates", "The agent asks for its entries.");
        let svids = metrics.calls("manager.sync.fetch_svids_updates", "The agent asks for X.509-SVIDs.");
        Arc::new(Self { upstream, clock: clock.clone(), entries, svids })
    }

    async fn timed<T>(
        &self,
        calls: &Calls,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let began = self.clock.monotonic();
        let outcome = call.await;
        let code = outcome.as_ref().err().map_or(0, |status| status.code().into());
        calls.note(CallStatus::from_code(code), self.clock.monotonic().saturating_sub(began));
        outcome
    }
}

#[async_trait]
impl<U: Upstream> Upstream for MeasuredUpstream<U> {
    async fn sync_entries(&self, known: &Known) -> Result<SyncedEntries, Status> {
        self.timed(&self.entries, self.upstream.sync_entries(known)).await
    }

    async fn new_x509_svids(
        &self,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        self.timed(&self.svids, self.upstream.new_x509_svids(requests)).await
    }

    async fn new_jwt_svid(&self, entry: &EntryId, audience: &Audience) -> Result<JwtSvid, Status> {
        self.upstream.new_jwt_svid(entry, audience).await
    }

    async fn bundle(&self) -> Result<Bundle, Status> {
        self.upstream.bundle().await
    }

    async fn federated_bundle(&self, trust_domain: &TrustDomain) -> Result<Bundle, Status> {
        self.upstream.federated_bundle(trust_domain).await
    }

    async fn revisions(&self) -> Result<Revisions, Status> {
        self.upstream.revisions().await
    }
}
