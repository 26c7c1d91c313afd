//! Which X.509-SVIDs to have issued next, and when those that are held must go.

mod choice;
mod pace;
mod renewal;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, jitter};
use finial_identity::{Entry, EntryId, X509Credential};

use self::choice::Choice;
use self::pace::Pace;
use super::catalog::EntryCatalog;
use super::options::CacheOptions;
use super::outlook::Outlook;
use super::readers::Uses;

/// The first and the longest wait after a failed call, or for an entry that the server refuses (SPIRE: 500 ms, 4 min).
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(240));

/// Most SVIDs that wait have more than this, so that the last minute is one: what ends in it is asked for together.
const LAST_MINUTE: Duration = Duration::from_secs(60);
/// Of the time that is left, the share over which those spread who were told when to come back.
const GIVE_WAY: u32 = 64;

/// One instant on both scales: certificates live by the wall clock, pauses by the monotonic one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) wall: SystemTime,
    pub(super) monotonic: Duration,
}

/// A credential in service.
#[derive(Debug)]
struct Held {
    credential: Arc<X509Credential>,
    /// The entry as it was when the credential was asked for.
    entry: Arc<Entry>,
    renew_at: SystemTime,
}

impl Held {
    fn left(&self, now: SystemTime) -> Duration {
        left(self.credential.svid().not_after(), now)
    }
}

/// An entry that the server would not issue for; asked again no sooner than this.
#[derive(Debug)]
struct Refused {
    again_at: Duration,
    backoff: Backoff,
    reason: String,
}

impl Refused {
    fn new() -> Self {
        Self { again_at: Duration::ZERO, backoff: Backoff::new(RETRY.0, RETRY.1), reason: String::new() }
    }
}

/// What to do now, and when to look again.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The entries to have SVIDs issued for, the most urgent first; at most one batch.
    pub(super) batch: Vec<Arc<Entry>>,
    /// When the next SVID expires or is due, on the wall clock.
    pub(super) wake_at: Option<SystemTime>,
    /// When a pause after a failure ends, on the monotonic scale.
    pub(super) retry_at: Option<Duration>,
}

/// The credentials of one agent and the plan of their renewal.
#[derive(Debug)]
pub(super) struct Rotation {
    held: HashMap<EntryId, Held>,
    refused: HashMap<EntryId, Refused>,
    /// What was asked for and has not come yet.
    under_way: HashSet<EntryId>,
    choice: Choice,
    pace: Pace,
    availability_target: Option<Duration>,
    /// Why the last call failed; `None` when it did not.
    failure: Option<String>,
}

impl Rotation {
    pub(super) fn new(options: &CacheOptions) -> Self {
        Self {
            held: HashMap::new(),
            refused: HashMap::new(),
            under_way: HashSet::new(),
            choice: Choice::new(options.most_x509_svids),
            pace: Pace::new(options.key_kind),
            availability_target: options.availability_target,
            failure: None,
        }
    }

    /// The credentials in service.
    pub(super) fn credentials(&self) -> impl Iterator<Item = (&EntryId, &Arc<X509Credential>)> {
        self.held.iter().map(|(id, held)| (id, &held.credential))
    }

    /// What is due, the SVIDs that expire soonest first; those that are missing come before all others. What has more than
    /// twice their time waits for the next batch, so that a server with much to do signs what is urgent for everybody before
    /// what can wait. What is on its way is not due.
    pub(super) fn plan(&self, catalog: &EntryCatalog, now: Moment) -> Plan {
        let mut plan = Plan { wake_at: self.next_expiry(), ..Plan::default() };
        let mut due = Vec::new();
        for entry in catalog.iter().filter(|entry| self.choice.has(&entry.id)) {
            if self.under_way.contains(&entry.id) {
                continue;
            }
            let held = self.held.get(&entry.id);
            let renew_at = held.map_or(SystemTime::UNIX_EPOCH, |held| held.renew_at);
            let paused = self.refused.get(&entry.id).map_or(Duration::ZERO, |refused| refused.again_at);
            if renew_at > now.wall {
                plan.wake_at = earliest(plan.wake_at, renew_at);
            } else if paused.max(self.pace.resume_at()) > now.monotonic {
                plan.retry_at = earliest(plan.retry_at, paused.max(self.pace.resume_at()));
            } else {
                let expires = held.map_or(SystemTime::UNIX_EPOCH, |held| held.credential.svid().not_after());
                due.push((expires, entry));
            }
        }
        due.sort_by_key(|(expires, _)| *expires);
        due.truncate(self.pace.size());
        let urgent = due.first().map(|(expires, _)| 2 * left(*expires, now.wall).max(LAST_MINUTE));
        let is_alike = |(expires, _): &(SystemTime, _)| Some(left(*expires, now.wall)) <= urgent;
        plan.batch = due.into_iter().take_while(is_alike).map(|(_, entry)| Arc::clone(entry)).collect();
        plan
    }

    /// How many of these entries are asked for because their SVID would end, and how many because they have changed.
    pub(super) fn renewals(&self, batch: &[Arc<Entry>]) -> (usize, usize) {
        let held = batch.iter().filter_map(|entry| Some((entry, self.held.get(&entry.id)?)));
        let (current, outdated): (Vec<_>, Vec<_>) =
            held.partition(|(entry, held)| is_same_revision(&held.entry, entry));
        let is_due = |(_, held): &&(_, &Held)| held.renew_at > SystemTime::UNIX_EPOCH;
        (current.iter().filter(is_due).count(), outdated.len())
    }

    /// Whether the entry's SVID is kept when it comes.
    pub(super) fn has_place(&self, entry: &EntryId) -> bool {
        self.choice.has(entry)
    }

    /// Whether another call may begin while so many are on their way.
    pub(super) fn may_call(&self, under_way: usize) -> bool {
        under_way < self.pace.calls()
    }

    /// These entries are being asked for.
    pub(super) fn begin(&mut self, batch: &[Arc<Entry>]) {
        self.under_way.extend(batch.iter().map(|entry| entry.id.clone()));
    }

    /// The call for these entries has ended, one way or the other.
    pub(super) fn end(&mut self, batch: &[EntryId]) {
        batch.iter().for_each(|id| drop(self.under_way.take(id)));
    }

    /// Puts a credential into service, until its [renewal](renewal::due).
    pub(super) fn install(&mut self, entry: &Arc<Entry>, credential: X509Credential, now: SystemTime) {
        let renew_at = renewal::due(credential.svid(), self.availability_target, now);
        let held = Held { credential: Arc::new(credential), entry: Arc::clone(entry), renew_at };
        self.held.insert(entry.id.clone(), held);
    }

    /// Leaves this entry alone for a while, longer each time; less long when what it holds is about to expire.
    pub(super) fn refuse(&mut self, entry: &EntryId, reason: &str, now: Moment) {
        let held = self.held.get(entry).map(|held| held.credential.svid().not_after());
        let refused = self.refused.entry(entry.clone()).or_insert_with(Refused::new);
        refused.again_at = now.monotonic + hasten(refused.backoff.next(), held, now.wall);
        reason.clone_into(&mut refused.reason);
    }

    /// Forgets that this entry was ever left alone.
    pub(super) fn accept(&mut self, entry: &EntryId) {
        self.refused.remove(entry);
    }

    /// A whole call failed: pause, longer each time, and ask for less. Who holds what is about to expire comes back
    /// before those who can wait, and nobody before the server has `told`.
    pub(super) fn call_failed(
        &mut self,
        asked: &[EntryId],
        reason: &str,
        told: Option<Duration>,
        now: Moment,
    ) {
        self.failure = Some(reason.to_owned());
        let wait = hasten(self.pace.failed(), self.next_expiry(), now.wall);
        let Some(told) = told else { return self.pace.rest_until(now.monotonic + wait) };
        let left_of = |id: &EntryId| self.held.get(id).map_or(Duration::ZERO, |held| held.left(now.wall));
        let least = asked.iter().map(left_of).min().unwrap_or_default();
        self.pace.obey(now.monotonic + give_way(told, least));
    }

    /// A call succeeded: no pause, and ask for more again.
    pub(super) fn call_succeeded(&mut self) {
        self.failure = None;
        self.pace.succeeded();
    }

    /// Ends the pause after failed calls: the server is well again.
    pub(super) fn resume(&mut self) {
        self.pace.resume();
    }

    /// Chooses again which entries have a place, now that they are used like this, and puts the others out of service.
    /// Tells whether there was any.
    pub(super) fn choose(&mut self, catalog: &EntryCatalog, uses: &mut Uses) -> bool {
        uses.retain(|id| catalog.entry(id).is_some());
        self.choice.update(catalog, uses, |id| self.held.contains_key(id));
        let before = self.held.len();
        self.held.retain(|id, _| self.choice.has(id));
        self.held.len() < before
    }

    /// Fits what is held to new entries: what is no longer authorized, or names another identity, goes at once;
    /// what was issued for an older revision is due.
    pub(super) fn follow(&mut self, catalog: &EntryCatalog) {
        self.refused.retain(|id, _| catalog.entry(id).is_some());
        self.held.retain(|id, held| {
            let Some(entry) = catalog.entry(id) else { return false };
            if !is_same_revision(&held.entry, entry) {
                self.refused.remove(id);
                held.renew_at = SystemTime::UNIX_EPOCH;
            }
            entry.spiffe_id == held.entry.spiffe_id && !entry.store_svid
        });
    }

    /// Has the credentials of these entries issued anew, since the authority that signed them is withdrawn.
    pub(super) fn distrust(&mut self, entries: &[EntryId]) {
        for id in entries {
            if let Some(held) = self.held.get_mut(id) {
                held.renew_at = SystemTime::UNIX_EPOCH;
            }
        }
    }

    /// Takes out of service what has expired, and names it.
    pub(super) fn drop_expired(&mut self, now: SystemTime) -> Vec<Arc<Entry>> {
        let expired = self.held.extract_if(|_, held| held.credential.svid().not_after() <= now);
        expired.map(|(_, held)| held.entry).collect()
    }

    /// What becomes of the SVID of this entry.
    pub(super) fn outlook(&self, entry: &EntryId) -> Outlook {
        let renews_at = self.held.get(entry).map(|held| held.renew_at);
        let refusal = self.refused.get(entry).map(|refused| &refused.reason).or(self.failure.as_ref());
        Outlook {
            renews_at: renews_at.filter(|renews_at| *renews_at > SystemTime::UNIX_EPOCH),
            refusal: refusal.cloned(),
            has_place: self.choice.has(entry),
        }
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        self.held.values().map(|held| held.credential.svid().not_after()).min()
    }
}

/// Whether two readings of an entry are the same: one deleted and made again under its ID is another.
pub(super) fn is_same_revision(one: &Entry, other: &Entry) -> bool {
    one.revision_number == other.revision_number && one.created_at == other.created_at
}

/// At most a quarter of what is left, so that it is asked for some times more before it has expired.
fn hasten(wait: Duration, expires_at: Option<SystemTime>, now: SystemTime) -> Duration {
    expires_at.map_or(wait, |end| wait.min((left(end, now) / 4).max(RETRY.0)))
}

/// What the server told, and some more: those who are told the same do not come back together, and the more time is left,
/// the more it may be.
fn give_way(told: Duration, left: Duration) -> Duration {
    let spread = (left / GIVE_WAY).clamp(told / 4, told.saturating_mul(4));
    told.saturating_add(jitter(spread / 2, 1.0))
}

fn left(expires_at: SystemTime, now: SystemTime) -> Duration {
    expires_at.duration_since(now).unwrap_or_default()
}

fn earliest<T: Ord>(one: Option<T>, other: T) -> Option<T> {
    Some(match one {
        Some(one) => one.min(other),
        None => other,
    })
}

#[cfg(test)]
mod tests;
