//! JWT-SVIDs: issued on demand, kept for the first half of their life, and served to its end when the server is away.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_identity::{Audience, Bundle, BundleSet, Entry, EntryId, JwtSvid};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tonic::Status;

use super::upstream::Upstream;

/// The most tokens kept (SPIRE: 1000); the one unused for longest makes room.
const MOST_KEPT: usize = 1000;
/// How long a new token may take when there is none to fall back on, and when there is.
const CALL_LIMIT: Duration = Duration::from_secs(30);
const HIT_LIMIT: Duration = Duration::from_secs(5);
/// How long a kept token is served without asking again after the server failed.
const RETRY: Duration = Duration::from_secs(5);

/// The tokens of one agent. A short lock guards the table, never across a wait.
pub(super) struct JwtCache {
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    slots: Mutex<HashMap<Key, Slot>>,
}

/// What a token is for. An entry that was changed, or deleted and made again, has other tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    entry: EntryId,
    revision: (i64, SystemTime),
    audience: BTreeSet<String>,
}

#[derive(Default)]
struct Slot {
    kept: Option<Kept>,
    /// The call on its way, shared by all who wait for it.
    running: Option<WeakShared<Call>>,
    /// On the monotonic scale.
    used_at: Duration,
}

#[derive(Clone)]
struct Kept {
    svid: JwtSvid,
    renew_at: SystemTime,
    /// The bundle whose authorities were last seen to hold the token's key.
    bundle: Arc<Bundle>,
}

type Call = BoxFuture<'static, Result<JwtSvid, Status>>;

impl JwtCache {
    pub(super) fn new(upstream: Arc<dyn Upstream>, clock: Clock) -> Self {
        Self { upstream, clock, slots: Mutex::default() }
    }

    /// A token for the entry: the kept one in the first half of its life, else a new one, else the kept one.
    pub(super) async fn svid(
        &self,
        entry: &Arc<Entry>,
        audience: &Audience,
        bundle: Arc<Bundle>,
    ) -> Result<JwtSvid, Status> {
        let key = Key::new(entry, audience);
        let kept = self.kept(&key, &bundle);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.renew_at > self.clock.now()) {
            return Ok(kept.svid.clone());
        }
        let limit = if kept.is_some() { HIT_LIMIT } else { CALL_LIMIT };
        let answer = self.clock.timeout(limit, self.call(&key, entry, audience)).await;
        let answer = answer.unwrap_or_else(|elapsed| Err(Status::deadline_exceeded(elapsed.to_string())));
        match (answer, kept) {
            (Ok(svid), _) => {
                self.keep(key, &svid, bundle);
                Ok(svid)
            }
            (Err(status), Some(kept)) if kept.svid.expires_at() > self.clock.now() => {
                tracing::warn!(entry.id = %entry.id, error = status.message(), "no new JWT-SVID; serving the kept one");
                self.postpone(&key);
                Ok(kept.svid)
            }
            (Err(status), _) => {
                Err(Status::unavailable(format!("could not fetch JWT-SVID: {}", status.message())))
            }
        }
    }

    /// The kept token, unless it has expired or its signing key was withdrawn.
    fn kept(&self, key: &Key, bundle: &Arc<Bundle>) -> Option<Kept> {
        let now = self.clock.now();
        let mut slots = self.slots();
        let slot = slots.get_mut(key)?;
        slot.used_at = self.clock.monotonic();
        let kept = slot.kept.as_mut()?;
        let is_trusted = Arc::ptr_eq(&kept.bundle, bundle) || is_signed_by(&kept.svid, bundle, now);
        if kept.svid.expires_at() <= now || !is_trusted {
            slot.kept = None;
            return None;
        }
        kept.bundle = Arc::clone(bundle);
        Some(kept.clone())
    }

    /// The call for this token that is on its way, or a new one.
    fn call(&self, key: &Key, entry: &Arc<Entry>, audience: &Audience) -> Shared<Call> {
        let mut slots = self.slots();
        make_room(&mut slots, key);
        let slot = slots.entry(key.clone()).or_default();
        slot.used_at = self.clock.monotonic();
        // A call that ended has been dropped by those who waited, or is about to be: it is not for newcomers.
        let running = slot.running.as_ref().and_then(WeakShared::upgrade);
        if let Some(running) = running.filter(|running| running.peek().is_none()) {
            return running;
        }
        let call = fetch(Arc::clone(&self.upstream), Arc::clone(entry), audience.clone()).boxed().shared();
        slot.running = call.downgrade();
        call
    }

    fn keep(&self, key: Key, svid: &JwtSvid, bundle: Arc<Bundle>) {
        let now = self.clock.now();
        let left = svid.expires_at().duration_since(now).unwrap_or_default();
        let kept = Kept { svid: svid.clone(), renew_at: now + left / 2, bundle };
        let mut slots = self.slots();
        make_room(&mut slots, &key);
        slots.entry(key).or_default().kept = Some(kept);
    }

    fn postpone(&self, key: &Key) {
        if let Some(kept) = self.slots().get_mut(key).and_then(|slot| slot.kept.as_mut()) {
            kept.renew_at = self.clock.now() + RETRY;
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JwtCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtCache").field("slots", &self.slots().len()).finish_non_exhaustive()
    }
}

impl Key {
    fn new(entry: &Entry, audience: &Audience) -> Self {
        Self {
            entry: entry.id.clone(),
            revision: (entry.revision_number, entry.created_at),
            audience: audience.iter().map(str::to_owned).collect(),
        }
    }
}

/// Removes the slot unused for longest when there is no room for another.
fn make_room(slots: &mut HashMap<Key, Slot>, key: &Key) {
    if slots.len() < MOST_KEPT || slots.contains_key(key) {
        return;
    }
    let oldest = slots.iter().min_by_key(|(_, slot)| slot.used_at).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        slots.remove(&oldest);
    }
}

/// Asks the server, and holds the answer against the question.
async fn fetch(
    upstream: Arc<dyn Upstream>,
    entry: Arc<Entry>,
    audience: Audience,
) -> Result<JwtSvid, Status> {
    let svid = upstream.new_jwt_svid(&entry.id, &audience).await?;
    let is_for_all = audience.iter().all(|wanted| svid.audience().iter().any(|given| given == wanted));
    if *svid.id() != entry.spiffe_id || !is_for_all {
        return Err(Status::internal(format!(
            "the server issued a JWT-SVID of `{}` for other ends",
            svid.id()
        )));
    }
    Ok(svid)
}

/// Whether an authority of the bundle that is not tainted signed the token.
fn is_signed_by(svid: &JwtSvid, bundle: &Bundle, now: SystemTime) -> bool {
    let mut standing = bundle.clone();
    standing.jwt_authorities.retain(|authority| !authority.tainted);
    let bundles = BundleSet::from_iter([Arc::new(standing)]);
    let audience = svid.audience().first().map_or("", String::as_str);
    JwtSvid::verify(svid.token(), audience, &bundles, now).is_ok()
}

#[cfg(test)]
mod tests;
