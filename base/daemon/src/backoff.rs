//! How long to wait before the next attempt.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// The share by which [`Backoff`] spreads its spans, so that many callers do not come back at once.
const SPREAD: f64 = 0.1;

/// Spans that double from the first to the longest, each spread by ±10 %.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins at `first`; `max` bounds the span before it is spread.
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first.min(max) }
    }

    /// The span to wait now; the one after it is twice as long.
    #[expect(clippy::should_implement_trait, reason = "endless, and never used as an iterator")]
    pub fn next(&mut self) -> Duration {
        let span = self.next;
        self.next = span.saturating_mul(2).min(self.max);
        jitter(span, SPREAD)
    }

    /// Begins again at the first span, after a success.
    pub fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

/// A span chosen evenly from `span` ± `fraction` of it; `fraction` is held within 0 and 1.
pub fn jitter(span: Duration, fraction: f64) -> Duration {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let offset = span.mul_f64(fraction * fastrand::f64());
    if fastrand::bool() { span.saturating_add(offset) } else { span.saturating_sub(offset) }
}
