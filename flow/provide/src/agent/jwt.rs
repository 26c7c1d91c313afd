//! JWT-SVIDs: issued on demand, renewed ahead of their end while they are used, and served to that end when the server
//! is away.

mod ahead;
mod table;
mod trust;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use finial_identity::{Audience, Bundle, Entry, JwtSvid};
use finial_wire::retry_after;
use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::Notify;
use tonic::{Code, Status};

use self::table::{Call, Found, Key, Table};
use super::meters::Tainted;
use super::options::CacheOptions;
use super::rotation::Moment;
use super::upstream::Upstream;

/// How long a new token may take when there is none to fall back on.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The tokens of one agent. A short lock guards the table, never across a wait.
pub(super) struct JwtCache {
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    hit_timeout: Duration,
    table: Mutex<Table>,
    /// Something may be due sooner than the task that renews ahead believes.
    changed: Notify,
    tainted: Tainted,
}

impl JwtCache {
    pub(super) fn new(upstream: Arc<dyn Upstream>, options: &CacheOptions, clock: Clock) -> Self {
        let table = Mutex::new(Table::new(options.most_jwt_svids));
        let tainted = options.meters.tainted_jwt.clone();
        Self { upstream, clock, hit_timeout: options.jwt_hit_timeout, table, changed: Notify::new(), tainted }
    }

    /// The kept token, if it is good for a while yet.
    pub(super) fn kept(&self, entry: &Entry, audience: &Audience, bundle: &Arc<Bundle>) -> Option<JwtSvid> {
        match self.find(&Key::new(entry, audience), bundle) {
            Found::Good { svid, .. } => Some(svid),
            Found::Ending(_) | Found::Nothing => None,
        }
    }

    /// A token for the entry: the kept one while it is good; when it is about to end a new one, if that comes soon;
    /// else the kept one.
    pub(super) async fn svid(
        &self,
        entry: &Arc<Entry>,
        audience: &Audience,
        bundle: Arc<Bundle>,
    ) -> Result<JwtSvid, Status> {
        let key = Key::new(entry, audience);
        let (limit, kept) = match self.find(&key, &bundle) {
            Found::Good { svid, .. } => return Ok(svid),
            Found::Ending(svid) => (self.hit_timeout, Some(svid)),
            Found::Nothing => (CALL_LIMIT, None),
        };
        match (self.renew(key, entry, audience, bundle, limit).await, kept) {
            (Ok(svid), _) => Ok(svid),
            (Err(status), Some(kept)) if kept.expires_at() > self.clock.now() => {
                tracing::warn!(entry.id = %entry.id, error = status.message(), "no new JWT-SVID; serving the kept one");
                Ok(kept)
            }
            (Err(status), _) => {
                Err(Status::unavailable(format!("could not fetch JWT-SVID: {}", status.message())))
            }
        }
    }

    /// How many tokens there are, also such as are on their way.
    pub(super) fn kept_count(&self) -> usize {
        self.table().len()
    }

    fn find(&self, key: &Key, bundle: &Arc<Bundle>) -> Found {
        let found = self.table().find(key, bundle, self.moment());
        if let Found::Good { is_due: true, .. } = found {
            // It was not used for a while, so that nobody renewed it.
            self.changed.notify_one();
        }
        found
    }

    /// Has a token issued, and keeps it. All who ask for it at one time share a call.
    async fn renew(
        &self,
        key: Key,
        entry: &Arc<Entry>,
        audience: &Audience,
        bundle: Arc<Bundle>,
        limit: Duration,
    ) -> Result<JwtSvid, Status> {
        let answer = self.clock.timeout(limit, self.call(&key, entry, audience)).await;
        let answer = answer.unwrap_or_else(|elapsed| Err(Status::deadline_exceeded(elapsed.to_string())));
        let now = self.moment();
        let mut table = self.table();
        match &answer {
            Ok(svid) => {
                table.keep(&key, svid.clone(), bundle, now);
                self.changed.notify_one();
            }
            Err(status) => table.failed(&key, is_about_the_server(status), retry_after(status), now),
        }
        answer
    }

    /// The call for this token that is on its way, or a new one.
    fn call(&self, key: &Key, entry: &Arc<Entry>, audience: &Audience) -> Shared<Call> {
        let fetch = || fetch(Arc::clone(&self.upstream), Arc::clone(entry), audience.clone()).boxed();
        self.table().call(key, entry, audience, self.clock.monotonic(), fetch)
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.clock.now(), monotonic: self.clock.monotonic() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JwtCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtCache").field("tokens", &self.table().len()).finish_non_exhaustive()
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

/// Whether a refusal would meet other tokens too.
fn is_about_the_server(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::Cancelled
    )
}

#[cfg(test)]
mod tests;
