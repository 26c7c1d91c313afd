//! The handles that a program notes things with.

use std::array;
use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Clock;

/// How many of the last values quantiles are taken from.
const KEPT: usize = 256;

/// A number that only grows. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

/// Calls by how they ended, and how long they took. Clones count together.
#[derive(Clone, Debug)]
pub struct Calls(Arc<[OnceLock<Sample>; CallStatus::NAMES.len()]>);

/// How a size is spread: how many values there were, their sum, and quantiles of the last 256. Clones share it.
#[derive(Clone, Debug)]
pub struct Sample(Arc<Values>);

#[derive(Debug)]
struct Values {
    count: AtomicU64,
    /// In thousandths.
    sum: AtomicU64,
    /// The last values, as the bits of an `f32`; the oldest is replaced next.
    last: [AtomicU32; KEPT],
}

/// How a call ended: a status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallStatus(u8);

/// What a [`Sample`] says at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spread {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) last: Vec<f32>,
}

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// So many more.
    pub fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Calls {
    /// A call has ended after `span`.
    pub fn note(&self, status: CallStatus, span: Duration) {
        self.0[usize::from(status.0)].get_or_init(Sample::default).note(span.as_secs_f64() * 1e3);
    }

    /// Waits for a call whose errors have no code of their own, and notes how it ended.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn timed<T, E>(&self, clock: &Clock, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = clock.monotonic();
        let ended = call.await;
        let status = if ended.is_ok() { CallStatus::OK } else { CallStatus::UNKNOWN };
        self.note(status, clock.monotonic().saturating_sub(began));
        ended
    }

    /// How many calls ended so.
    pub fn count(&self, status: CallStatus) -> u64 {
        self.0[usize::from(status.0)].get().map_or(0, |sample| sample.0.count.load(Ordering::Relaxed))
    }

    pub(super) fn ended(&self) -> impl Iterator<Item = (&'static str, Spread)> {
        let ended = CallStatus::NAMES.into_iter().zip(&*self.0);
        ended.filter_map(|(name, sample)| Some((name, sample.get()?.spread())))
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self(Arc::new(array::from_fn(|_| OnceLock::new())))
    }
}

impl Sample {
    /// One more value; what is below zero counts as zero.
    pub fn note(&self, value: f64) {
        let index = self.0.count.fetch_add(1, Ordering::Relaxed) as usize % KEPT;
        self.0.sum.fetch_add((value * 1e3) as u64, Ordering::Relaxed);
        self.0.last[index].store((value as f32).to_bits(), Ordering::Relaxed);
    }

    pub(super) fn spread(&self) -> Spread {
        let count = self.0.count.load(Ordering::Relaxed);
        let kept = usize::try_from(count).map_or(KEPT, |count| count.min(KEPT));
        let last =
            self.0.last[..kept].iter().map(|bits| f32::from_bits(bits.load(Ordering::Relaxed))).collect();
        Spread { count, sum: self.0.sum.load(Ordering::Relaxed) as f64 / 1e3, last }
    }
}

impl Default for Sample {
    fn default() -> Self {
        let last = array::from_fn(|_| AtomicU32::new(0));
        Self(Arc::new(Values { count: AtomicU64::new(0), sum: AtomicU64::new(0), last }))
    }
}

impl Spread {
    /// What lies beside: of series whose labels are the same once some are left out.
    pub(super) fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.last.extend(&other.last);
    }

    /// The value that this share of the last ones does not exceed.
    pub(super) fn quantile(&self, share: f64) -> f32 {
        let mut sorted = self.last.clone();
        sorted.sort_by(f32::total_cmp);
        let index = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(index.saturating_sub(1)).copied().unwrap_or(f32::NAN)
    }
}

impl CallStatus {
    /// The call went well.
    pub const OK: Self = Self(0);
    /// Whoever asked no longer waits.
    pub const CANCELED: Self = Self(1);
    /// An error of no other kind.
    pub const UNKNOWN: Self = Self(2);

    /// By number, as in Go's names.
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];

    /// The status with this number; [`UNKNOWN`](Self::UNKNOWN) for a number that gRPC does not have.
    pub fn from_code(code: i32) -> Self {
        match u8::try_from(code) {
            Ok(code) if usize::from(code) < Self::NAMES.len() => Self(code),
            _ => Self::UNKNOWN,
        }
    }

    /// Its name in Go: `OK`, `PermissionDenied`.
    pub fn name(self) -> &'static str {
        Self::NAMES[usize::from(self.0)]
    }

    /// Its number.
    pub fn code(self) -> i32 {
        self.0.into()
    }
}
