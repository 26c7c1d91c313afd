//! Spans of time: how many there were, how often they come, and how they are spread.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;

/// How many of the last spans the spread is taken from.
const SAMPLE: usize = 1028;
/// How often the averages of rates take a step.
const TICK: Duration = Duration::from_secs(5);
/// After so many ticks without a span every average is as good as zero.
const FORGOTTEN: u32 = 10_000;

/// Notes spans of time.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    /// What parts the buckets, in seconds, ascending.
    bounds: &'static [f64],
    began: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    count: u64,
    sum: Duration,
    /// How many spans are of each bound and above the one before.
    buckets: Vec<u64>,
    /// The last spans, in nanoseconds; the oldest is replaced next.
    sample: Vec<f64>,
    next: usize,
    /// Spans since the last tick.
    fresh: u64,
    ticked: Duration,
    /// Averages over 1, 5 and 15 minutes, per second; `None` before the first tick.
    rates: Option<[f64; 3]>,
}

/// What a timer says at one moment; spans are nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
    pub(super) rates: [f64; 3],
    pub(super) mean_rate: f64,
    /// How many spans there were up to each bound, in seconds.
    pub(super) buckets: Vec<(f64, u64)>,
    sorted: Vec<f64>,
}

impl Timer {
    pub(super) fn new(clock: &Clock, bounds: &'static [f64]) -> Self {
        let began = clock.monotonic();
        let state = State {
            count: 0,
            sum: Duration::ZERO,
            buckets: vec![0; bounds.len()],
            sample: Vec::new(),
            next: 0,
            fresh: 0,
            ticked: began,
            rates: None,
        };
        Self { clock: clock.clone(), bounds, began, state: Mutex::new(state) }
    }

    pub(crate) fn note(&self, span: Duration) {
        let mut state = self.state();
        state.count += 1;
        state.fresh += 1;
        state.sum = state.sum.saturating_add(span);
        let seconds = span.as_secs_f64();
        if let Some(bucket) = self.bounds.iter().position(|bound| seconds <= *bound) {
            state.buckets[bucket] += 1;
        }
        let nanos = span.as_nanos() as f64;
        if state.sample.len() < SAMPLE {
            state.sample.push(nanos);
        } else {
            let next = state.next;
            state.sample[next] = nanos;
            state.next = (next + 1) % SAMPLE;
        }
    }

    pub(super) fn spread(&self) -> Spread {
        let state = self.state();
        let mut sorted = state.sample.clone();
        let up_to = state.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        let buckets = self.bounds.iter().copied().zip(up_to).collect();
        let elapsed = self.clock.monotonic().saturating_sub(self.began).as_secs_f64();
        let (count, sum, rates) = (state.count, state.sum, state.rates.unwrap_or_default());
        drop(state);
        sorted.sort_by(f64::total_cmp);
        let size = sorted.len().max(1) as f64;
        let mean = sorted.iter().sum::<f64>() / size;
        Spread {
            count,
            sum: sum.as_nanos() as f64,
            min: sorted.first().copied().unwrap_or_default(),
            max: sorted.last().copied().unwrap_or_default(),
            mean,
            variance: sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / size,
            rates,
            mean_rate: if elapsed > 0.0 { count as f64 / elapsed } else { 0.0 },
            buckets,
            sorted,
        }
    }

    /// With all ticks made that are due.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.catch_up(self.clock.monotonic());
        state
    }
}

impl State {
    fn catch_up(&mut self, now: Duration) {
        let due = now.saturating_sub(self.ticked).as_nanos() / TICK.as_nanos();
        let due = u32::try_from(due).unwrap_or(FORGOTTEN);
        if due == 0 {
            return;
        }
        self.ticked += TICK * due;
        let fresh = self.fresh as f64 / TICK.as_secs_f64();
        self.fresh = 0;
        let weights = [1.0, 5.0, 15.0].map(|minutes| 1.0 - (-TICK.as_secs_f64() / 60.0 / minutes).exp());
        let first = match self.rates {
            Some(rates) => [0, 1, 2].map(|index| rates[index] + weights[index] * (fresh - rates[index])),
            None => [fresh; 3],
        };
        let idle = (due - 1).min(FORGOTTEN).cast_signed();
        self.rates = Some([0, 1, 2].map(|index| first[index] * (1.0 - weights[index]).powi(idle)));
    }
}

impl Spread {
    /// The value below which this share of the sample lies, between its neighbours in proportion.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let position = share * (self.sorted.len() as f64 + 1.0);
        match self.sorted.as_slice() {
            [] => 0.0,
            [first, ..] if position < 1.0 => *first,
            sorted if position >= sorted.len() as f64 => self.max,
            sorted => {
                let below = position.floor() as usize;
                let (lower, upper) = (sorted[below - 1], sorted[below]);
                lower + position.fract() * (upper - lower)
            }
        }
    }
}
