//! The one place that reads the time or waits for it, so that tests can move it.

mod manual;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use manual::ClockHand;
use manual::Timeline;

/// The longest that the system clock sleeps without looking at the wall clock again.
const RECHECK: Duration = Duration::from_secs(1);

/// Time as an input: the current instant, and waiting. Cheap to clone; clones share the time.
///
/// Two scales exist. The *wall clock* ([`now`](Clock::now), [`sleep_until`](Clock::sleep_until)) says when a
/// certificate expires and may step in either direction. The *monotonic* scale ([`monotonic`](Clock::monotonic),
/// [`sleep`](Clock::sleep), [`timeout`](Clock::timeout)) only ever moves forward.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System { origin: std::time::Instant },
    Manual(Arc<Timeline>),
}

/// The time allowed by [`Clock::timeout`] ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {}", crate::go::format_duration(*.0))]
pub struct Elapsed(
    /// The time that was allowed.
    pub Duration,
);

impl Clock {
    /// The clock of this machine.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the machine's clock")]
    pub fn system() -> Self {
        Self { source: Source::System { origin: std::time::Instant::now() } }
    }

    /// A clock that stands at `start` until its hand is moved.
    pub fn manual(start: SystemTime) -> (Self, ClockHand) {
        let timeline = Arc::new(Timeline::new(start));
        (Self { source: Source::Manual(Arc::clone(&timeline)) }, ClockHand::new(timeline))
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the machine's clock")]
    pub fn now(&self) -> SystemTime {
        match &self.source {
            Source::System { .. } => SystemTime::now(),
            Source::Manual(timeline) => timeline.now(),
        }
    }

    /// Time since some fixed instant of this clock; never goes back. For measuring.
    pub fn monotonic(&self) -> Duration {
        match &self.source {
            Source::System { origin } => origin.elapsed(),
            Source::Manual(timeline) => timeline.monotonic(),
        }
    }

    /// Waits for a span of monotonic time: a step of the wall clock neither shortens nor lengthens it.
    #[expect(clippy::disallowed_methods, reason = "the one place that waits on the runtime's timer")]
    pub async fn sleep(&self, span: Duration) {
        match &self.source {
            Source::System { .. } => tokio::time::sleep(span).await,
            Source::Manual(timeline) => timeline.sleep(span).await,
        }
    }

    /// Waits until the wall clock shows `deadline` or later; returns at once when it already does.
    ///
    /// A step of the wall clock is noticed within a second: one past `deadline` ends the wait, one back
    /// lengthens it.
    pub async fn sleep_until(&self, deadline: SystemTime) {
        if let Source::Manual(timeline) = &self.source {
            return timeline.sleep_until(deadline).await;
        }
        while let Ok(left) = deadline.duration_since(self.now())
            && !left.is_zero()
        {
            self.sleep(left.min(RECHECK)).await;
        }
    }

    /// Waits for `work`, at most for `limit` of monotonic time.
    ///
    /// # Errors
    /// [`Elapsed`] when the limit ran out first; `work` is then dropped.
    pub async fn timeout<F: Future>(&self, limit: Duration, work: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.sleep(limit) => Err(Elapsed(limit)),
        }
    }
}
