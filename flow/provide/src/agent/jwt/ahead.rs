//! Renewal ahead of the end: a token that is used is replaced at half its life, so that nobody waits for the next one
//! and an outage finds every token with half a life at least.

use std::collections::HashSet;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, Drain};
use finial_identity::{Audience, Entry};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::table::{Key, Slot};
use super::{CALL_LIMIT, JwtCache};
use crate::agent::rotation::is_same_revision;
use crate::agent::snapshot::AgentSnapshot;

/// How many tokens are renewed at a time.
const AT_ONCE: usize = 8;

/// What to renew now, and when to look again on each scale.
#[derive(Default)]
struct Agenda {
    due: Vec<(SystemTime, Key, Arc<Entry>, Audience)>,
    wake_at: Option<SystemTime>,
    retry_at: Option<Duration>,
}

impl JwtCache {
    /// Renews what is used, and drops what has lost its entry or its authority, until the drain.
    pub(in crate::agent) async fn renew_ahead(
        self: Arc<Self>,
        mut snapshots: watch::Receiver<Arc<AgentSnapshot>>,
        drain: Drain,
    ) {
        let mut running = FuturesUnordered::new();
        let mut begun: HashSet<Key> = HashSet::new();
        let mut followed: Option<Arc<AgentSnapshot>> = None;
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.follow(&snapshot, followed.as_deref());
            let Agenda { due, wake_at, retry_at } = self.agenda(&begun);
            for (_, key, entry, audience) in due.into_iter().take(AT_ONCE.saturating_sub(running.len())) {
                begun.insert(key.clone());
                let (cache, bundle) = (Arc::clone(&self), Arc::clone(snapshot.bundle()));
                running.push(async move {
                    let renewed = cache.renew(key.clone(), &entry, &audience, bundle, CALL_LIMIT).await;
                    if let Err(status) = renewed {
                        let error = status.message();
                        tracing::warn!(entry.id = %entry.id, error, "a JWT-SVID could not be renewed; trying again");
                    }
                    key
                });
            }
            followed = Some(snapshot);
            tokio::select! {
                biased;
                () = drain.requested() => return,
                Some(key) = running.next() => drop(begun.take(&key)),
                changed = snapshots.changed() => if changed.is_err() { return },
                () = self.changed.notified() => {}
                () = wait_until(&self.clock, wake_at) => {}
                () = wait(&self.clock, retry_at) => {}
            }
        }
    }

    /// Drops the tokens of entries that went or changed, and those that a withdrawn authority signed.
    fn follow(&self, snapshot: &AgentSnapshot, before: Option<&AgentSnapshot>) {
        if before.is_none_or(|before| !Arc::ptr_eq(&before.entries, &snapshot.entries)) {
            let is_current = |slot: &Slot| {
                let entry = snapshot.entries().entry(&slot.entry.id);
                entry.is_some_and(|entry| is_same_revision(entry, &slot.entry))
            };
            self.table().retain(is_current);
        }
        if before.is_none_or(|before| !Arc::ptr_eq(&before.bundle, &snapshot.bundle)) {
            let began = self.clock.monotonic();
            let withdrawn = self.table().follow(snapshot.bundle(), self.clock.now());
            if withdrawn > 0 {
                self.tainted.note(withdrawn, self.clock.monotonic().saturating_sub(began));
            }
        }
    }

    /// What ends soonest comes first.
    fn agenda(&self, begun: &HashSet<Key>) -> Agenda {
        let now = self.moment();
        let mut agenda = Agenda::default();
        for (key, slot, renew_at, again_at) in self.table().agenda(now) {
            if begun.contains(key) {
                continue;
            } else if renew_at > now.wall {
                agenda.wake_at = agenda.wake_at.map_or(Some(renew_at), |wake| Some(wake.min(renew_at)));
            } else if again_at > now.monotonic {
                agenda.retry_at = agenda.retry_at.map_or(Some(again_at), |retry| Some(retry.min(again_at)));
            } else {
                agenda.due.push((renew_at, key.clone(), Arc::clone(&slot.entry), slot.audience.clone()));
            }
        }
        agenda.due.sort_by_key(|(renew_at, ..)| *renew_at);
        agenda
    }
}

async fn wait_until(clock: &Clock, instant: Option<SystemTime>) {
    match instant {
        Some(instant) => clock.sleep_until(instant).await,
        None => pending().await,
    }
}

async fn wait(clock: &Clock, instant: Option<Duration>) {
    match instant {
        Some(instant) => clock.sleep(instant.saturating_sub(clock.monotonic())).await,
        None => pending().await,
    }
}
