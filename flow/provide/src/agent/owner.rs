//! The one task that owns what the agent holds: it syncs, has SVIDs issued, drops what has ended, and publishes.

mod bundles;
mod svids;

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, Drain};
use finial_identity::KeyKind;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tonic::Status;

use super::catalog::EntryCatalog;
use super::issuance::{self, Batch};
use super::meters::CacheMeters;
use super::options::CacheOptions;
use super::outlook::Question;
use super::push::Push;
use super::readers::Readers;
use super::rotation::{Moment, Plan, Rotation};
use super::snapshot::AgentSnapshot;
use super::sync::{self, Pulled, Schedule};
use super::sync_state::SyncState;
use super::upstream::Upstream;

/// How long one sync may take, however many entries it brings.
const SYNC_LIMIT: Duration = Duration::from_secs(60);
/// How long to look away when nothing is due: anything that happens ends it.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct Owner {
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    schedule: Schedule,
    rotation: Rotation,
    key_kind: KeyKind,
    readers: Arc<Readers>,
    meters: CacheMeters,
    /// The next snapshot in the making.
    next: AgentSnapshot,
    is_dirty: bool,
    publish: watch::Sender<Arc<AgentSnapshot>>,
    report: watch::Sender<SyncState>,
    /// The sequence number of the bundle that the server gave last.
    sequence_number: Option<u64>,
}

/// The calls on their way: one sync and a few batches at most, so that none waits for the others.
#[derive(Default)]
struct Calls {
    pull: Option<BoxFuture<'static, Result<Pulled, Status>>>,
    issue: FuturesUnordered<BoxFuture<'static, Batch>>,
}

/// What made the owner look up.
enum Event {
    Pulled(Result<Pulled, Status>),
    Issued(Batch),
    Pushed(Push),
    Missed,
    Asked(Question),
    Nudged,
    Time,
    Drain,
}

impl Owner {
    pub(super) fn new(
        upstream: Arc<dyn Upstream>,
        clock: Clock,
        options: &CacheOptions,
        readers: Arc<Readers>,
        publish: watch::Sender<Arc<AgentSnapshot>>,
        report: watch::Sender<SyncState>,
    ) -> Self {
        let next = AgentSnapshot::clone(&publish.borrow());
        Self {
            upstream,
            clock,
            schedule: Schedule::new(options.sync_interval),
            rotation: Rotation::new(options),
            key_kind: options.key_kind,
            readers,
            meters: options.meters.clone(),
            next,
            is_dirty: false,
            publish,
            report,
            sequence_number: None,
        }
    }

    /// Runs until the drain; then readers see the channel of snapshots close.
    pub(super) async fn run(
        mut self,
        mut pushed: watch::Receiver<Push>,
        mut asked: mpsc::Receiver<Question>,
        nudge: Arc<Notify>,
        drain: Drain,
    ) {
        let mut calls = Calls::default();
        let readers = Arc::clone(&self.readers);
        loop {
            let plan = self.start_what_is_due(&mut calls);
            let event = {
                let pause = self.pause(&plan, &calls);
                let wake = plan.wake_at;
                tokio::select! {
                    biased;
                    () = drain.requested() => Event::Drain,
                    pulled = ended(&mut calls.pull) => Event::Pulled(pulled),
                    Some(batch) = calls.issue.next() => Event::Issued(batch),
                    Ok(()) = pushed.changed() => Event::Pushed(pushed.borrow_and_update().clone()),
                    () = readers.missed() => Event::Missed,
                    Some(question) = asked.recv() => Event::Asked(question),
                    () = nudge.notified() => Event::Nudged,
                    () = self.clock.sleep(pause) => Event::Time,
                    () = wait_until(&self.clock, wake) => Event::Time,
                }
            };
            if matches!(event, Event::Drain) {
                return;
            }
            self.handle(event).await;
            self.drop_expired();
            self.publish();
        }
    }

    async fn handle(&mut self, event: Event) {
        let now = self.clock.monotonic();
        match event {
            Event::Pulled(Ok(pulled)) => self.pulled(pulled).await,
            Event::Pulled(Err(status)) => self.sync_failed(status),
            Event::Issued(batch) => self.issued(batch),
            Event::Pushed(push) => {
                self.report.send_if_modified(|state| {
                    std::mem::replace(&mut state.is_pushed, push.is_open) != push.is_open
                });
                self.schedule.pushed(push, now);
            }
            Event::Missed => self.choose(),
            Event::Asked(Question { entries, answer }) => {
                // Who asked may have gone away.
                let _ = answer.send(entries.iter().map(|entry| self.rotation.outlook(entry)).collect());
            }
            Event::Nudged => {
                self.schedule.hurry(now);
                self.rotation.resume();
            }
            Event::Time | Event::Drain => {}
        }
    }

    fn start_what_is_due(&mut self, calls: &mut Calls) -> Plan {
        let now = self.moment();
        if calls.pull.is_none() && self.schedule.due() <= now.monotonic {
            self.schedule.started(now.monotonic);
            let (upstream, catalog) = (Arc::clone(&self.upstream), Arc::clone(&self.next.entries));
            calls.pull = Some(Box::pin(pull(upstream, self.clock.clone(), catalog)));
        }
        loop {
            let mut plan = self.rotation.plan(&self.next.entries, now);
            if plan.batch.is_empty() || !self.rotation.may_call(calls.issue.len()) {
                return plan;
            }
            let batch = std::mem::take(&mut plan.batch);
            let renewals = self.rotation.renewals(&batch);
            for (sample, svids) in [(&self.meters.expiring, renewals.0), (&self.meters.outdated, renewals.1)]
            {
                if svids > 0 {
                    sample.note(svids as f64);
                }
            }
            self.rotation.begin(&batch);
            let (upstream, snapshots) = (Arc::clone(&self.upstream), self.publish.subscribe());
            let issue = issuance::issue(upstream, self.clock.clone(), self.key_kind, batch, snapshots);
            calls.issue.push(Box::pin(issue));
        }
    }

    /// How long nothing is due on the monotonic scale.
    fn pause(&self, plan: &Plan, calls: &Calls) -> Duration {
        let now = self.clock.monotonic();
        let sync = calls.pull.is_none().then(|| self.schedule.due());
        let retry = plan.retry_at.filter(|_| self.rotation.may_call(calls.issue.len()));
        let due = sync.into_iter().chain(retry).min();
        due.map_or(IDLE, |due| due.saturating_sub(now))
    }

    async fn pulled(&mut self, pulled: Pulled) {
        let now = self.moment();
        self.schedule.succeeded(now.monotonic);
        self.rotation.resume();
        self.report.send_modify(|state| {
            if state.failure.take().is_some() {
                tracing::info!("in sync with the server again");
            }
            state.last_sync = Some(now.wall);
        });
        self.is_dirty |= !std::mem::replace(&mut self.next.is_synced, true);
        self.take_bundle(pulled.bundle).await;
        self.take_federated(pulled.federated);
        if !Arc::ptr_eq(&self.next.entries, &pulled.catalog) {
            tracing::info!(entries = pulled.catalog.len(), "the entries of this agent have changed");
            self.meters.note_entries(&self.next.entries, &pulled.catalog);
            self.rotation.follow(&pulled.catalog);
            self.next.entries = pulled.catalog;
            self.is_dirty = true;
        }
        self.choose();
    }

    /// Gives the places of the cache to what is read, and what was last. What loses its place is gone from the snapshot
    /// before anybody can become a reader of it: who reads is looked up, and the snapshot published, under one lock.
    fn choose(&mut self) {
        let readers = Arc::clone(&self.readers);
        let mut uses = readers.uses();
        if self.rotation.choose(&self.next.entries, &mut uses) {
            self.is_dirty = true;
            self.publish();
        }
    }

    fn sync_failed(&mut self, status: Status) {
        self.schedule.failed(self.clock.monotonic());
        if !self.report.borrow().is_degraded() {
            let error: &(dyn std::error::Error + 'static) = &status;
            tracing::warn!(error, "cannot sync with the server; serving what is held until it expires");
        }
        self.report.send_modify(|state| state.failure = Some(status));
    }

    fn publish(&mut self) {
        if !std::mem::take(&mut self.is_dirty) {
            return;
        }
        let credentials = self.rotation.credentials();
        self.next.credentials =
            Arc::new(credentials.map(|(id, held)| (id.clone(), Arc::clone(held))).collect());
        self.next.revision += 1;
        self.publish.send_replace(Arc::new(self.next.clone()));
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.clock.now(), monotonic: self.clock.monotonic() }
    }
}

async fn pull(
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    catalog: Arc<EntryCatalog>,
) -> Result<Pulled, Status> {
    let pulled = clock.timeout(SYNC_LIMIT, sync::pull(upstream, catalog)).await;
    pulled.map_err(|elapsed| Status::deadline_exceeded(elapsed.to_string()))?
}

/// The end of the call, if one is on its way; the place is then free.
async fn ended<T>(call: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(running) = call else { return pending().await };
    let output = running.await;
    *call = None;
    output
}

async fn wait_until(clock: &Clock, instant: Option<SystemTime>) {
    match instant {
        Some(instant) => clock.sleep_until(instant).await,
        None => pending().await,
    }
}
