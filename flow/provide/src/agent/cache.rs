//! The cache's face: starts the task that owns everything, and hands out what it publishes.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::{Audience, Entry, EntryId, JwtSvid};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tonic::Status;

use super::jwt::JwtCache;
use super::meters::CacheMeters;
use super::options::CacheOptions;
use super::outlook::{Outlook, Question};
use super::owner::Owner;
use super::push;
use super::readers::{Readers, Reading};
use super::snapshot::AgentSnapshot;
use super::sync_state::SyncState;
use super::upstream::Upstream;

/// How long a caller waits for the agent's first sync.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many explanations may wait for the owner.
const QUESTIONS: usize = 16;

/// What the agent holds for its workloads, kept current by one task. Clones share it.
#[derive(Debug, Clone)]
pub struct Cache {
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
    state: watch::Receiver<SyncState>,
    readers: Arc<Readers>,
    nudge: Arc<Notify>,
    questions: mpsc::Sender<Question>,
    jwt: Arc<JwtCache>,
    meters: CacheMeters,
}

impl Cache {
    /// Starts the owner task, the task that listens for pushed changes, and the one that renews JWT-SVIDs. All end when
    /// `tasks` drain; readers then see the channel of snapshots close.
    pub fn start(upstream: Arc<dyn Upstream>, options: &CacheOptions, clock: &Clock, tasks: &Tasks) -> Self {
        let (publish, snapshots) = watch::channel(Arc::new(AgentSnapshot::new(Arc::clone(&options.bundle))));
        let (report, state) = watch::channel(SyncState::default());
        let (nudge, readers) = (Arc::<Notify>::default(), Arc::<Readers>::default());
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (pushes, pushed) = watch::channel(push::Push::default());
        let jwt = Arc::new(JwtCache::new(Arc::clone(&upstream), options, clock.clone()));
        tasks.spawn("changes", push::follow(Arc::clone(&upstream), pushes, clock.clone(), tasks.drain()));
        tasks.spawn("jwt-svids", Arc::clone(&jwt).renew_ahead(snapshots.clone(), tasks.drain()));
        let owner = Owner::new(upstream, clock.clone(), options, Arc::clone(&readers), publish, report);
        tasks.spawn("cache", owner.run(pushed, asked, Arc::clone(&nudge), tasks.drain()));
        Self { snapshots, state, readers, nudge, questions, jwt, meters: options.meters.clone() }
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

    /// What is counted of it.
    pub(super) fn meters(&self) -> &CacheMeters {
        &self.meters
    }

    /// Keeps the X.509-SVIDs of these entries in the cache until what is returned is dropped. Say that one is
    /// [missed](Self::miss) when the snapshot lacks it.
    pub(super) fn read(&self, entries: impl IntoIterator<Item = EntryId>) -> Reading {
        self.readers.read(entries)
    }

    /// Has those X.509-SVIDs issued that have a reader and are not there.
    pub(super) fn miss(&self) {
        self.readers.miss();
    }

    /// What the agent means to do about the X.509-SVIDs of these entries, in their order; nothing when it stops.
    pub(super) async fn outlooks(&self, entries: Vec<EntryId>) -> Vec<Outlook> {
        let (answer, outlooks) = oneshot::channel();
        if self.questions.send(Question { entries, answer }).await.is_err() {
            return Vec::new();
        }
        outlooks.await.unwrap_or_default()
    }

    /// How many JWT-SVIDs are kept.
    pub fn jwt_svid_count(&self) -> usize {
        self.jwt.kept_count()
    }

    /// The JWT-SVID that is kept for the entry, when it is good for a while: nothing is waited for.
    pub(super) fn kept_jwt_svid(&self, entry: &Entry, audience: &Audience) -> Option<JwtSvid> {
        let bundle = Arc::clone(self.snapshots.borrow().bundle());
        self.jwt.kept(entry, audience, &bundle)
    }

    /// A JWT-SVID for the entry: the kept one as long as it is good for a while, else a new one.
    pub(super) async fn jwt_svid(&self, entry: &Arc<Entry>, audience: &Audience) -> Result<JwtSvid, Status> {
        let bundle = Arc::clone(self.snapshots.borrow().bundle());
        self.jwt.svid(entry, audience, bundle).await
    }
}

#[cfg(test)]
mod tests;
