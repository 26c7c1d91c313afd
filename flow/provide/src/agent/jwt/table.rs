//! The tokens that are kept, bounded, and what is known about the server that issues them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, jitter};
use finial_identity::{Audience, Bundle, Entry, EntryId, JwtSvid};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tonic::Status;

use super::trust;
use crate::agent::rotation::Moment;

/// The share by which half lives are spread, so that tokens issued together are not renewed together.
const SPREAD: f64 = 0.1;
/// The first and the longest pause after the server failed.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

pub(super) type Call = BoxFuture<'static, Result<JwtSvid, Status>>;

/// What a token is for. An entry that was changed, or deleted and made again, has other tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    entry: EntryId,
    revision: (i64, SystemTime),
    audience: BTreeSet<String>,
}

/// What there is for a caller.
pub(super) enum Found {
    /// A token to serve at once. It may be due for renewal all the same.
    Good {
        svid: JwtSvid,
        is_due: bool,
    },
    /// A token in the last tenth of its life, which a new one should replace.
    Ending(JwtSvid),
    Nothing,
}

#[derive(Debug)]
pub(super) struct Table {
    most: usize,
    slots: HashMap<Key, Slot>,
    /// The pause after failures that would meet any token.
    backoff: Backoff,
    resume_at: Duration,
}

/// One token, while it is used.
pub(super) struct Slot {
    pub(super) entry: Arc<Entry>,
    pub(super) audience: Audience,
    kept: Option<Kept>,
    /// The call on its way, shared by all who wait for it.
    running: Option<WeakShared<Call>>,
    /// On the monotonic scale, as is what follows.
    used_at: Duration,
    again_at: Duration,
    /// How long the token last issued was to live.
    life: Duration,
}

struct Kept {
    svid: JwtSvid,
    renew_at: SystemTime,
    ends_at: SystemTime,
    /// The bundle whose authorities were last seen to hold the token's key.
    bundle: Arc<Bundle>,
}

impl Table {
    /// Room for so many tokens.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            slots: HashMap::new(),
            backoff: Backoff::new(RETRY.0, RETRY.1),
            resume_at: Duration::ZERO,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What is kept for this key, unless it has expired or its signing key was withdrawn.
    pub(super) fn find(&mut self, key: &Key, bundle: &Arc<Bundle>, now: Moment) -> Found {
        let is_paused = self.resume_at > now.monotonic;
        let Some(slot) = self.slots.get_mut(key) else { return Found::Nothing };
        slot.used_at = now.monotonic;
        slot.drop_what_is_no_good(bundle, now.wall);
        let Some(kept) = &slot.kept else { return Found::Nothing };
        let is_paused = is_paused || slot.again_at > now.monotonic;
        // Nobody waits for a server that has just failed.
        if kept.ends_at > now.wall || is_paused {
            let is_due = kept.renew_at <= now.wall && !is_paused && !slot.is_running();
            Found::Good { svid: kept.svid.clone(), is_due }
        } else {
            Found::Ending(kept.svid.clone())
        }
    }

    /// The call for this token that is on its way, or the one that `begin` gives.
    pub(super) fn call(
        &mut self,
        key: &Key,
        entry: &Arc<Entry>,
        audience: &Audience,
        now: Duration,
        begin: impl FnOnce() -> Call,
    ) -> Shared<Call> {
        self.make_room(key);
        let slot = self.slots.entry(key.clone()).or_insert_with(|| Slot::new(entry, audience, now));
        // A call that ended has been dropped by those who waited, or is about to be: it is not for newcomers.
        let running = slot.running.as_ref().and_then(WeakShared::upgrade);
        if let Some(running) = running.filter(|running| running.peek().is_none()) {
            return running;
        }
        let call = begin().shared();
        slot.running = call.downgrade();
        call
    }

    /// A new token came.
    pub(super) fn keep(&mut self, key: &Key, svid: JwtSvid, bundle: Arc<Bundle>, now: Moment) {
        self.backoff.reset();
        self.resume_at = Duration::ZERO;
        // Its slot may have made room for another meanwhile.
        let Some(slot) = self.slots.get_mut(key) else { return };
        let left = svid.expires_at().duration_since(now.wall).unwrap_or_default();
        let (renew_at, ends_at) = (now.wall + jitter(left / 2, SPREAD), now.wall + left * 9 / 10);
        slot.life = left;
        slot.again_at = Duration::ZERO;
        slot.kept = Some(Kept { svid, renew_at, ends_at, bundle });
    }

    /// No new token came: this one, or all when the server itself is ill, are left alone for a while, and for as long as it
    /// has `told`.
    pub(super) fn failed(
        &mut self,
        key: &Key,
        is_about_the_server: bool,
        told: Option<Duration>,
        now: Moment,
    ) {
        // Of several calls that fail at one time, one counts.
        if is_about_the_server && self.resume_at <= now.monotonic {
            let (wait, told) = (self.backoff.next(), told.unwrap_or_default());
            self.resume_at = now.monotonic + wait.max(told.saturating_add(jitter(told / 8, 1.0)));
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.again_at = if is_about_the_server { self.resume_at } else { now.monotonic + RETRY.1 };
        }
    }

    /// Removes what `is_good` does not hold for.
    pub(super) fn retain(&mut self, is_good: impl Fn(&Slot) -> bool) {
        self.slots.retain(|_, slot| is_good(slot));
    }

    /// Drops the tokens whose signing key the bundle withdraws; they are due at once. Tells how many there were.
    pub(super) fn follow(&mut self, bundle: &Arc<Bundle>, now: SystemTime) -> usize {
        let mut withdrawn = 0;
        for slot in self.slots.values_mut() {
            let was_good = slot.kept.as_ref().is_some_and(|kept| kept.svid.expires_at() > now);
            slot.drop_what_is_no_good(bundle, now);
            withdrawn += usize::from(was_good && slot.kept.is_none());
        }
        withdrawn
    }

    /// The tokens that somebody asked for within the last of their lives: when each is due, on the wall clock, and
    /// before when it is left alone, on the monotonic one. The others are left to expire.
    pub(super) fn agenda(&self, now: Moment) -> impl Iterator<Item = (&Key, &Slot, SystemTime, Duration)> {
        let used = move |slot: &&Slot| now.monotonic.saturating_sub(slot.used_at) < slot.life;
        let slots = self.slots.iter().filter(move |(_, slot)| used(slot) && !slot.is_running());
        slots.map(|(key, slot)| (key, slot, slot.renew_at(), slot.again_at.max(self.resume_at)))
    }

    /// Removes the slot unused for longest when there is no room for another.
    fn make_room(&mut self, key: &Key) {
        if self.slots.len() < self.most || self.slots.contains_key(key) {
            return;
        }
        let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used_at).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.slots.remove(&oldest);
        }
    }
}

impl Slot {
    fn new(entry: &Arc<Entry>, audience: &Audience, now: Duration) -> Self {
        Self {
            entry: Arc::clone(entry),
            audience: audience.clone(),
            kept: None,
            running: None,
            used_at: now,
            again_at: Duration::ZERO,
            life: Duration::ZERO,
        }
    }

    /// A token that was lost is due at once.
    fn renew_at(&self) -> SystemTime {
        self.kept.as_ref().map_or(SystemTime::UNIX_EPOCH, |kept| kept.renew_at)
    }

    fn is_running(&self) -> bool {
        let running = self.running.as_ref().and_then(WeakShared::upgrade);
        running.is_some_and(|running| running.peek().is_none())
    }

    fn drop_what_is_no_good(&mut self, bundle: &Arc<Bundle>, now: SystemTime) {
        let is_good = |kept: &mut Kept| {
            let is_trusted = trust::lasts(&kept.svid, &kept.bundle, bundle, now);
            kept.bundle = Arc::clone(bundle);
            is_trusted && kept.svid.expires_at() > now
        };
        self.kept = self.kept.take_if(|kept| is_good(kept));
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("entry", &self.entry.id).finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn new(entry: &Entry, audience: &Audience) -> Self {
        Self {
            entry: entry.id.clone(),
            revision: (entry.revision_number, entry.created_at),
            audience: audience.iter().map(str::to_owned).collect(),
        }
    }
}
