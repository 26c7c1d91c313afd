//! How much to ask of the server at a time: less after each failure, more after each success.

use std::time::Duration;

use finial_daemon::Backoff;
use finial_identity::KeyKind;

use super::RETRY;

/// The most requests in one call (SPIRE: 500).
const MOST_AT_ONCE: usize = 500;
/// The same for RSA, each of whose keys takes this machine a tenth of a second.
const MOST_RSA_AT_ONCE: usize = 16;
/// The most calls at a time: while the server signs one batch, the keys of the next are made.
const MOST_CALLS: usize = 3;

/// The size of batches, their number at a time, and the pause after a failure.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    size: usize,
    calls: usize,
    backoff: Backoff,
    resume_at: Duration,
    /// What the server said: only time ends it.
    told: Duration,
}

impl Pace {
    /// Whole batches, one at a time until the first has succeeded.
    pub(super) fn new(kind: KeyKind) -> Self {
        let most = if matches!(kind, KeyKind::Rsa { .. }) { MOST_RSA_AT_ONCE } else { MOST_AT_ONCE };
        let backoff = Backoff::new(RETRY.0, RETRY.1);
        Self { most, size: most, calls: 1, backoff, resume_at: Duration::ZERO, told: Duration::ZERO }
    }

    /// The most requests of the next call.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The most calls at a time.
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// When to ask again, on the monotonic scale.
    pub(super) fn resume_at(&self) -> Duration {
        self.resume_at.max(self.told)
    }

    /// Asks for less from now on, and gives how long to pause: longer each time.
    pub(super) fn failed(&mut self) -> Duration {
        self.size = (self.size / 2).max(1);
        self.calls = 1;
        self.backoff.next()
    }

    /// Pauses until then, on the monotonic scale.
    pub(super) fn rest_until(&mut self, resume_at: Duration) {
        self.resume_at = resume_at;
    }

    /// Pauses until then, on the monotonic scale, however well the server is: it has asked for that.
    pub(super) fn obey(&mut self, not_before: Duration) {
        self.told = not_before;
    }

    pub(super) fn succeeded(&mut self) {
        self.resume();
        self.size = (self.size * 2).min(self.most);
        self.calls = MOST_CALLS;
    }

    /// Ends a pause that the server did not ask for: it is well again.
    pub(super) fn resume(&mut self) {
        self.backoff.reset();
        self.resume_at = Duration::ZERO;
    }
}
