//! How much one address may ask of what is expensive: a bucket of tokens for each, filled by the clock.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use finial_daemon::doorstep;
use tonic::{Extensions, Status};

use crate::RateLimits;
use crate::admission::Admission;
use crate::listener::Origin;
use crate::status;

/// Most addresses remembered; an IPv6 network of 64 bits is one. When more are busy at the same time, those that are not
/// known share a bucket.
const MAX_ADDRESSES: usize = 65_536;

/// How often the table is searched for addresses that are no longer busy, once it is full.
const SWEEP: Duration = Duration::from_secs(1);

/// Longest wait for tokens; who would have to wait longer is refused, and told how long.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The limits of one server: those on an address, and those on all together.
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
    /// Attestations under way, whoever makes them. Always on.
    pub(crate) attesting: Admission,
    /// SVIDs being signed, whoever asks for them. Always on.
    pub(crate) signing: Admission,
}

impl Limits {
    pub(crate) fn new(config: &RateLimits, clock: &Clock) -> Self {
        let attestation = config.attestation.then_some(Rate { per_second: 1, burst: 10 });
        let signing = config.signing.then_some(Rate { per_second: 500, burst: 500 });
        Self {
            attestation: RateLimit::new(attestation, clock),
            x509: RateLimit::new(signing, clock),
            jwt: RateLimit::new(signing, clock),
            report: RateLimit::new(Some(Rate { per_second: 10, burst: 1_000 }), clock),
            attesting: Admission::new("attestations", 256, 4_096, clock),
            signing: Admission::new("SVIDs to be signed", 1_000, 20_000, clock),
        }
    }
}

/// A limit for each address, or none. Calls on the Unix socket are never limited.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Option<Rate>,
    clock: Clock,
    table: Mutex<Table>,
}

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: u32,
    burst: u32,
}

#[derive(Debug, Default)]
struct Table {
    buckets: HashMap<doorstep::Origin, Bucket>,
    /// Of those for whom there is no place.
    shared: Option<Bucket>,
    swept: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// What may still be asked at `at`.
    tokens: f64,
    at: Duration,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// There will be, after this time.
    Until(Duration),
    /// There never will be so many at a time.
    Burst(u32),
}

impl RateLimit {
    fn new(rate: Option<Rate>, clock: &Clock) -> Self {
        Self { rate, clock: clock.clone(), table: Mutex::default() }
    }

    /// Takes `count` tokens for the caller of this request, waiting until they are there as SPIRE does.
    ///
    /// # Errors
    /// ResourceExhausted, with the time after which they would be.
    pub(crate) async fn take(&self, ctx: &Extensions, count: usize) -> Result<(), Status> {
        let Some(address) = ctx.get::<Origin>().and_then(Origin::address) else { return Ok(()) };
        let Some(rate) = self.rate else { return Ok(()) };
        let wait = self.reserve(rate, doorstep::Origin::of(address), count);
        let wait = wait.map_err(status::rate_exceeded)?;
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// How long to wait for the tokens, which are taken.
    fn reserve(&self, rate: Rate, origin: doorstep::Origin, count: usize) -> Result<Duration, Exceeded> {
        let count = u32::try_from(count).ok().filter(|count| *count <= rate.burst);
        let count = count.ok_or(Exceeded::Burst(rate.burst))?;
        let now = self.clock.monotonic();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.bucket(origin, rate, now).take(count, rate, now)
    }
}

impl Table {
    /// The bucket of a caller; a full one for a new caller.
    fn bucket(&mut self, origin: doorstep::Origin, rate: Rate, now: Duration) -> &mut Bucket {
        let full = Bucket { tokens: rate.burst.into(), at: now };
        let sweeps = self.swept.is_none_or(|swept| now >= swept + SWEEP);
        if self.buckets.len() >= MAX_ADDRESSES && sweeps {
            self.buckets.retain(|_, bucket| bucket.level(now, rate) < f64::from(rate.burst));
            self.swept = Some(now);
        }
        if self.buckets.len() >= MAX_ADDRESSES && !self.buckets.contains_key(&origin) {
            return self.shared.get_or_insert(full);
        }
        self.buckets.entry(origin).or_insert(full)
    }
}

impl Bucket {
    fn level(&self, now: Duration, rate: Rate) -> f64 {
        let filled = now.saturating_sub(self.at).as_secs_f64() * f64::from(rate.per_second);
        (self.tokens + filled).min(rate.burst.into())
    }

    fn take(&mut self, count: u32, rate: Rate, now: Duration) -> Result<Duration, Exceeded> {
        let left = self.level(now, rate) - f64::from(count);
        let wait = Duration::from_secs_f64((-left / f64::from(rate.per_second)).max(0.0));
        if wait > MAX_WAIT {
            return Err(Exceeded::Until(wait - MAX_WAIT));
        }
        *self = Self { tokens: left, at: now };
        Ok(wait)
    }
}
