//! One sync with the server, and when the next one is due.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Backoff, jitter};
use finial_identity::{Bundle, TrustDomain};
use futures_util::{StreamExt, stream};
use tonic::Status;

use super::catalog::EntryCatalog;
use super::push::Push;
use super::upstream::Upstream;

/// The least time between two syncs that changes ask for: a busy server's many changes become one sync.
const LEAST_GAP: Duration = Duration::from_millis(100);
/// How soon to sync when an issued SVID was not acceptable.
const SUSPECT_GAP: Duration = Duration::from_secs(1);
/// How often to sync although the server pushes: the floor under a push that got lost.
const FLOOR: Duration = Duration::from_secs(60);
/// The longest wait after failures (SPIRE: 8 minutes).
const LONGEST_BACKOFF: Duration = Duration::from_secs(480);
/// The share by which polls of many agents are spread.
const SPREAD: f64 = 0.1;
/// How many federated bundles are fetched at a time (SPIRE: 10).
const BUNDLES_AT_ONCE: usize = 10;

/// What the server said in one sync.
#[derive(Debug)]
pub(super) struct Pulled {
    /// The same catalog as before when nothing changed.
    pub(super) catalog: Arc<EntryCatalog>,
    pub(super) bundle: Bundle,
    /// The answer for each trust domain that an entry federates with.
    pub(super) federated: HashMap<TrustDomain, Result<Bundle, Status>>,
}

/// Asks the server for everything that may have changed since `catalog`.
pub(super) async fn pull(upstream: Arc<dyn Upstream>, catalog: Arc<EntryCatalog>) -> Result<Pulled, Status> {
    let entries = upstream.sync_entries(catalog.known());
    let (synced, bundle) = tokio::try_join!(entries, upstream.bundle())?;
    let catalog = catalog.merged(synced).map_or(catalog, Arc::new);
    let fetch = |trust_domain: TrustDomain| {
        let upstream = Arc::clone(&upstream);
        async move {
            let bundle = upstream.federated_bundle(&trust_domain).await;
            (trust_domain, bundle)
        }
    };
    // Whatever an entry says, one's own bundle is not among those of others.
    let others = catalog.federates_with().iter().filter(|name| **name != bundle.trust_domain);
    let others: Vec<TrustDomain> = others.cloned().collect();
    let federated = stream::iter(others).map(fetch).buffer_unordered(BUNDLES_AT_ONCE).collect().await;
    Ok(Pulled { catalog, bundle, federated })
}

/// When to sync next, on the monotonic scale.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    backoff: Backoff,
    poll_at: Duration,
    last_start: Option<Duration>,
    is_failing: bool,
    push: Push,
    /// The pushed revision that the latest sync set out to fetch.
    taken: Option<u64>,
}

impl Schedule {
    /// Due at once.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            backoff: Backoff::new(interval, LONGEST_BACKOFF),
            poll_at: Duration::ZERO,
            last_start: None,
            is_failing: false,
            push: Push::default(),
            taken: None,
        }
    }

    pub(super) fn due(&self) -> Duration {
        let has_news = self.push.revision != self.taken;
        let gap_ends = self.last_start.map_or(Duration::ZERO, |start| start + LEAST_GAP);
        if has_news { self.poll_at.min(gap_ends) } else { self.poll_at }
    }

    pub(super) fn started(&mut self, now: Duration) {
        self.last_start = Some(now);
        self.taken = self.push.revision;
    }

    pub(super) fn succeeded(&mut self, now: Duration) {
        self.backoff.reset();
        self.is_failing = false;
        let pause = if self.push.is_open { FLOOR } else { self.interval };
        self.poll_at = now + jitter(pause, SPREAD);
    }

    pub(super) fn failed(&mut self, now: Duration) {
        self.is_failing = true;
        self.poll_at = now + self.backoff.next();
    }

    pub(super) fn pushed(&mut self, push: Push, now: Duration) {
        if self.push.is_open && !push.is_open {
            self.poll_at = self.poll_at.min(now + jitter(self.interval, SPREAD));
        }
        if !self.push.is_open && push.is_open && self.is_failing {
            // The server is back: no need to sit out the backoff.
            self.hurry(now);
        }
        self.push = push;
    }

    /// Something the server said does not fit what is known: due soon, as a poll of a server that does not push.
    pub(super) fn suspect(&mut self, now: Duration) {
        self.poll_at = self.poll_at.min(now + self.interval.min(SUSPECT_GAP));
    }

    /// Due at once, and failures are forgotten.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.backoff.reset();
        self.poll_at = now;
    }
}

#[cfg(test)]
mod tests;
