//! How much one address may ask of what is expensive: a bucket of tokens for each, filled by the clock.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use tonic::{Extensions, Status};

use crate::RateLimits;
use crate::listener::Origin;
use crate::status;

/// Most addresses remembered. When more are busy at the same time, those that are not known are refused.
const MAX_ADDRESSES: usize = 65_536;

/// Longest wait for tokens; who would have to wait longer is refused.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The limits of one server.
#[derive(Debug)]
pub(crate) struct Limits {
    /// On attestations. SPIRE lets one through at a time; here a rack that comes up behind one address may join.
    pub(crate) attestation: RateLimit,
    /// On X.509-SVIDs, those of agents included.
    pub(crate) x509: RateLimit,
    /// On JWT-SVIDs.
    pub(crate) jwt: RateLimit,
    /// On what agents report of themselves, as far as it has to be written. Always on.
    pub(crate) report: RateLimit,
}

impl Limits {
    pub(crate) fn new(config: &RateLimits, clock: &Clock) -> Self {
        let attestation = config.attestation.then_some(Rate { per_second: 1, burst: 10 });
        let signing = config.signing.then_some(Rate { per_second: 500, burst: 500 });
        Self {
            attestation: RateLimit::new(attestation, clock),
            x509: RateLimit::new(signing, clock),
            jwt: RateLimit::new(signing, clock),
            report: RateLimit::new(Some(Rate { per_second: 100, burst: 1_000 }), clock),
        }
    }
}

/// A limit for each address, or none. Calls on the Unix socket are never limited.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Option<Rate>,
    clock: Clock,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: u32,
    burst: u32,
}

#[derive(Debug)]
struct Bucket {
    /// What may still be asked at `at`.
    tokens: f64,
    at: Duration,
}

impl RateLimit {
    fn new(rate: Option<Rate>, clock: &Clock) -> Self {
        Self { rate, clock: clock.clone(), buckets: Mutex::default() }
    }

    /// Takes `count` tokens for the caller of this request, waiting until they are there as SPIRE does.
    pub(crate) async fn take(&self, ctx: &Extensions, count: usize) -> Result<(), Status> {
        let Some(address) = ctx.get::<Origin>().and_then(Origin::address) else { return Ok(()) };
        let Some(rate) = self.rate else { return Ok(()) };
        let wait = self.reserve(rate, address, count).ok_or_else(status::too_many)?;
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// How long to wait for the tokens; `None` when they would take too long, or can never be had.
    fn reserve(&self, rate: Rate, address: IpAddr, count: usize) -> Option<Duration> {
        let count = u32::try_from(count).ok().filter(|count| *count <= rate.burst)?;
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| bucket.level(now, rate) < f64::from(rate.burst));
            if buckets.len() >= MAX_ADDRESSES {
                return None;
            }
        }
        let bucket = buckets.entry(address).or_insert(Bucket { tokens: rate.burst.into(), at: now });
        let left = bucket.level(now, rate) - f64::from(count);
        let wait = Duration::from_secs_f64((-left / f64::from(rate.per_second)).max(0.0));
        if wait > MAX_WAIT {
            return None;
        }
        *bucket = Bucket { tokens: left, at: now };
        Some(wait)
    }
}

impl Bucket {
    fn level(&self, now: Duration, rate: Rate) -> f64 {
        let filled = now.saturating_sub(self.at).as_secs_f64() * f64::from(rate.per_second);
        (self.tokens + filled).min(rate.burst.into())
    }
}
