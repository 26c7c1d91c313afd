//! The cache's face: starts the task that owns everything, and hands out what it publishes.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::{Audience, Bundle, Entry, EntryId, JwtSvid};
use tokio::sync::{Notify, mpsc, watch};
use tonic::Status;

use super::jwt::JwtCache;
use super::owner::Owner;
use super::push;
use super::snapshot::AgentSnapshot;
use super::sync_state::SyncState;
use super::upstream::Upstream;

/// How many requests for SVIDs that are issued on demand may wait for the owner.
const WANTED_QUEUE: usize = 1024;
/// How long a caller waits for the agent's first sync.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a cache starts from.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// The bundle of the agent's trust domain as attestation gave it; the first sync replaces it.
    pub bundle: Arc<Bundle>,
    /// How often to ask a server that does not push; 5 s like SPIRE's `sync_interval`.
    pub sync_interval: Duration,
}

impl CacheOptions {
    /// SPIRE's interval, and this bundle to begin with.
    pub fn new(bundle: Arc<Bundle>) -> Self {
        Self { bundle, sync_interval: Duration::from_secs(5) }
    }
}

/// What the agent holds for its workloads, kept current by one task. Clones share it.
#[derive(Debug, Clone)]
pub struct Cache {
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
    state: watch::Receiver<SyncState>,
    wanted: mpsc::Sender<EntryId>,
    nudge: Arc<Notify>,
    jwt: Arc<JwtCache>,
}

impl Cache {
    /// Starts the owner task and the task that listens for pushed changes. Both end when `tasks` drain; readers
    /// then see the channel of snapshots close.
    pub fn start(upstream: Arc<dyn Upstream>, options: CacheOptions, clock: &Clock, tasks: &Tasks) -> Self {
        let (publish, snapshots) = watch::channel(Arc::new(AgentSnapshot::new(options.bundle)));
        let (report, state) = watch::channel(SyncState::default());
        let (wanted, demand) = mpsc::channel(WANTED_QUEUE);
        let nudge = Arc::new(Notify::new());
        let (pushes, pushed) = watch::channel(push::Push::default());
        tasks.spawn("changes", push::follow(Arc::clone(&upstream), pushes, clock.clone(), tasks.drain()));
        let owner = Owner::new(Arc::clone(&upstream), clock.clone(), options.sync_interval, publish, report);
        tasks.spawn("cache", owner.run(pushed, demand, Arc::clone(&nudge), tasks.drain()));
        Self { snapshots, state, wanted, nudge, jwt: Arc::new(JwtCache::new(upstream, clock.clone())) }
    }

    /// What the agent holds now.
    pub fn snapshot(&self) -> Arc<AgentSnapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// What the agent holds, now and after each change. Closes when the agent stops.
    pub fn subscribe(&self) -> watch::Receiver<Arc<AgentSnapshot>> {
        self.snapshots.clone()
    }

    /// How the syncs go, now and after each.
    pub fn state(&self) -> watch::Receiver<SyncState> {
        self.state.clone()
    }

    /// Syncs now, whatever the backoff says: the agent has just attested again, or its channel is new.
    pub fn sync_now(&self) {
        self.nudge.notify_one();
    }

    /// What the agent holds, once it has heard its server since it started.
    pub(super) async fn synced(&self, clock: &Clock) -> Result<Arc<AgentSnapshot>, Status> {
        let mut snapshots = self.snapshots.clone();
        let heard = snapshots.wait_for(|snapshot| snapshot.is_synced());
        match clock.timeout(PATIENCE, heard).await {
            Ok(Ok(snapshot)) => Ok(Arc::clone(&snapshot)),
            Ok(Err(_)) => Err(Status::unavailable("the agent is stopping")),
            Err(_) => Err(Status::unavailable("the agent has not heard its server yet; it keeps trying")),
        }
    }

    /// Asks for the X.509-SVID of an entry that is issued on demand only; kept current from then on.
    pub(super) async fn want(&self, entry: EntryId) {
        // A closed queue means that the agent stops, which the caller sees by its snapshots.
        let _ = self.wanted.send(entry).await;
    }

    /// A JWT-SVID for the entry: a cached one in the first half of its life, else a new one.
    pub(super) async fn jwt_svid(&self, entry: &Arc<Entry>, audience: &Audience) -> Result<JwtSvid, Status> {
        let bundle = Arc::clone(self.snapshots.borrow().bundle());
        self.jwt.svid(entry, audience, bundle).await
    }
}

#[cfg(test)]
mod tests;
