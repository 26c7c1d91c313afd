//! How often callers may ask: a bucket of tokens for each call and set of selectors, filled by the clock.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finial_attest::AttestedProcess;
use finial_daemon::Clock;
use finial_identity::SelectorSet;
use tonic::Status;

use crate::agent::meters::CacheMeters;

/// How many calls a second the callers of one set of selectors may make, and as many at once after a pause; 0: no limit.
///
/// Workloads of one kind share a limit, as in SPIRE, so that a new set of selectors has to be attested to get another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// FetchX509SVID; 5,000 by default.
    pub fetch_x509_svid: u32,
    /// FetchJWTSVID; 50,000 by default.
    pub fetch_jwt_svid: u32,
    /// FetchX509Bundles; 5,000 by default.
    pub fetch_x509_bundles: u32,
    /// FetchJWTBundles; 5,000 by default.
    pub fetch_jwt_bundles: u32,
    /// StreamSecrets and DeltaSecrets of Envoy's SDS; 5,000 by default.
    pub stream_secrets: u32,
    /// FetchSecrets of Envoy's SDS; 5,000 by default.
    pub fetch_secrets: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            fetch_x509_svid: 5_000,
            fetch_jwt_svid: 50_000,
            fetch_x509_bundles: 5_000,
            fetch_jwt_bundles: 5_000,
            stream_secrets: 5_000,
            fetch_secrets: 5_000,
        }
    }
}

/// A call that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::agent) enum RatedCall {
    FetchX509Svid,
    FetchJwtSvid,
    FetchX509Bundles,
    FetchJwtBundles,
    StreamSecrets,
    FetchSecrets,
}

impl RatedCall {
    pub(in crate::agent) const ALL: [Self; 6] = [
        Self::FetchX509Svid,
        Self::FetchJwtSvid,
        Self::FetchX509Bundles,
        Self::FetchJwtBundles,
        Self::StreamSecrets,
        Self::FetchSecrets,
    ];

    /// Its name on the wire.
    pub(in crate::agent) fn method(self) -> &'static str {
        match self {
            Self::FetchX509Svid => "FetchX509SVID",
            Self::FetchJwtSvid => "FetchJWTSVID",
            Self::FetchX509Bundles => "FetchX509Bundles",
            Self::FetchJwtBundles => "FetchJWTBundles",
            Self::StreamSecrets => "StreamSecrets",
            Self::FetchSecrets => "FetchSecrets",
        }
    }

    fn limit(self, limits: &RateLimits) -> (&'static str, u32) {
        match self {
            Self::FetchX509Svid => ("fetch_x509_svid", limits.fetch_x509_svid),
            Self::FetchJwtSvid => ("fetch_jwt_svid", limits.fetch_jwt_svid),
            Self::FetchX509Bundles => ("fetch_x509_bundles", limits.fetch_x509_bundles),
            Self::FetchJwtBundles => ("fetch_jwt_bundles", limits.fetch_jwt_bundles),
            Self::StreamSecrets => ("stream_secrets", limits.stream_secrets),
            Self::FetchSecrets => ("fetch_secrets", limits.fetch_secrets),
        }
    }
}

/// Most buckets at a time. When more sets of selectors than this are busy, those that come later share one.
const MOST_BUCKETS: usize = 4_096;

/// The limits at work. The agent's own process (its health check) is not limited.
#[derive(Debug)]
pub(in crate::agent) struct Rates {
    limits: RateLimits,
    own_pid: Option<i32>,
    meters: CacheMeters,
    clock: Clock,
    /// Keyed by chance, so that nobody can choose selectors that meet another's bucket.
    hasher: RandomState,
    buckets: Mutex<HashMap<(RatedCall, Option<u64>), Bucket>>,
}

/// What may still be asked at `at`.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
    limit: u32,
}

impl Rates {
    pub(in crate::agent) fn new(limits: RateLimits, meters: CacheMeters, clock: Clock) -> Self {
        let own_pid = i32::try_from(std::process::id()).ok();
        Self { limits, own_pid, meters, clock, hasher: RandomState::new(), buckets: Mutex::default() }
    }

    /// Counts a call of this caller, or refuses it. Callers without any selector share a bucket.
    ///
    /// # Errors
    /// `Unavailable`, as in SPIRE, so that clients ask again; the message names the setting.
    pub(in crate::agent) fn admit(&self, call: RatedCall, caller: &AttestedProcess) -> Result<(), Status> {
        if Some(caller.process().pid()) == self.own_pid {
            return Ok(());
        }
        self.take(call, caller.selectors())
    }

    fn take(&self, call: RatedCall, selectors: &SelectorSet) -> Result<(), Status> {
        let (setting, limit) = call.limit(&self.limits);
        if limit == 0 {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (call, Some(self.hasher.hash_one(selectors)));
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.level(now) < f64::from(bucket.limit));
            if buckets.len() >= MOST_BUCKETS {
                key.1 = None;
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: limit.into(), at: now, limit });
        (bucket.tokens, bucket.at) = (bucket.level(now), now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            Ok(())
        } else {
            self.meters.note_refusal(call);
            Err(Status::unavailable(format!(
                "more than {limit} calls a second by workloads of these selectors; try again, or raise ratelimit {setting}"
            )))
        }
    }
}

impl Bucket {
    fn level(&self, now: Duration) -> f64 {
        let filled = now.saturating_sub(self.at).as_secs_f64() * f64::from(self.limit);
        (self.tokens + filled).min(self.limit.into())
    }
}
