//! What the tests of this half share: a server made of memory, and a cache that follows it.

mod authority;
mod fake_server;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Entry, EntryDraft, EntryId, Selector, SpiffeId, TrustDomain};

use super::cache::Cache;
use super::options::CacheOptions;
use super::snapshot::AgentSnapshot;

pub(super) use authority::Authority;
pub(super) use fake_server::{FakeServer, sign};

/// How long an SVID of the fake server lives.
pub(super) const LIFE: Duration = Duration::from_secs(3600);

/// How long a test may take before it has failed.
const IN_VAIN: Duration = Duration::from_secs(30);

/// The instant at which every test begins.
pub(super) fn start_of_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(super) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(super) fn spiffe_id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

/// What an entry for `/name` says, matched by these selectors.
pub(super) fn draft(name: &str, selectors: &[&str]) -> EntryDraft {
    let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
    EntryDraft::new(spiffe_id(&format!("/{name}")), spiffe_id("/spire/agent/test/one"), selectors)
}

/// The entry `id` of this content, at revision 0.
pub(super) fn entry(id: &str, draft: EntryDraft) -> Entry {
    Entry::new(draft, entry_id(id), &trust_domain(), start_of_time()).unwrap()
}

pub(super) fn entry_id(id: &str) -> EntryId {
    EntryId::new(id).unwrap()
}

/// A fake server and a cache that follows it, on a clock that the test moves.
pub(super) struct Agent {
    pub(super) server: Arc<FakeServer>,
    pub(super) cache: Cache,
    pub(super) clock: Clock,
    pub(super) hand: ClockHand,
    pub(super) tasks: Tasks,
    /// The machine's clock, so that a test whose wait is in vain ends.
    real: Clock,
}

impl Agent {
    /// An agent that has not been heard of its server yet, and that has these entries.
    pub(super) fn start(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self::start_with(entries, |_| {})
    }

    /// The same, with a server that was prepared.
    pub(super) fn start_with(
        entries: impl IntoIterator<Item = Entry>,
        prepare: impl FnOnce(&FakeServer),
    ) -> Self {
        Self::start_limited(entries, prepare, |_| {})
    }

    /// The same, with other limits than SPIRE's.
    pub(super) fn start_limited(
        entries: impl IntoIterator<Item = Entry>,
        prepare: impl FnOnce(&FakeServer),
        limit: impl FnOnce(&mut CacheOptions),
    ) -> Self {
        let (clock, hand) = Clock::manual(start_of_time());
        let server = Arc::new(FakeServer::new(clock.clone()));
        entries.into_iter().for_each(|entry| server.put(entry));
        prepare(&server);
        let tasks = Tasks::new(clock.clone());
        let mut options = CacheOptions::new(Arc::new(server.bundle_now()));
        limit(&mut options);
        let cache = Cache::start(Arc::clone(&server) as _, &options, &clock, &tasks);
        Self { server, cache, clock, hand, tasks, real: Clock::system() }
    }

    /// The first snapshot that is as wanted. Time passes only to what is due within `horizon`, so that no limit on a
    /// call runs out because this machine is slow.
    pub(super) async fn until(
        &self,
        horizon: Duration,
        is_wanted: impl Fn(&AgentSnapshot) -> bool,
    ) -> Arc<AgentSnapshot> {
        loop {
            let snapshot = self.cache.snapshot();
            if is_wanted(&snapshot) {
                return snapshot;
            }
            self.pass(horizon);
            tokio::task::yield_now().await;
        }
    }

    /// The snapshot that is as wanted as soon as the agent reacts to what it was told.
    pub(super) async fn soon(&self, is_wanted: impl Fn(&AgentSnapshot) -> bool) -> Arc<AgentSnapshot> {
        self.until(Duration::from_millis(200), is_wanted).await
    }

    /// Moves time to the next wake, if it is near.
    pub(super) fn pass(&self, horizon: Duration) {
        assert!(self.real.monotonic() < IN_VAIN, "what the test waits for does not happen");
        if self.hand.next_wake().is_some_and(|wake| wake <= self.clock.now() + horizon) {
            self.hand.advance_to_next_wake();
        }
    }

    /// Resolves when the agent has seen everything that it was told before: an entry made now has its SVID.
    pub(super) async fn catch_up(&self) {
        let marker = entry_id(&format!("marker-{}", self.server.revision()));
        self.server.put(entry(marker.as_str(), draft("marker", &["test:marker"])));
        self.soon(|snapshot| snapshot.credential(&marker).is_some()).await;
    }
}

impl AgentSnapshot {
    /// The serial number of the SVID of an entry, if there is one.
    pub(super) fn serial(&self, id: &str) -> Option<String> {
        self.credential(&entry_id(id)).map(|held| held.svid().serial_number().to_owned())
    }
}
