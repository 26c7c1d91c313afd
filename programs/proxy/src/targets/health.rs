//! Whether a target is well: what checks have found, and what dials have met.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::Backoff;

/// How long a target is passed over after the first dial that failed, and after many.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Good until proven otherwise. The lock is held for as long as it takes to write a few numbers, and never across a wait.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// By checks.
    ill: bool,
    /// Checks in a row that said the other thing.
    doubts: u32,
    /// By dials: until then others come first.
    passed_over: Option<Duration>,
    pause: Backoff,
}

/// A check that changed what is thought of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Recovered,
    FellIll,
}

impl Default for Known {
    fn default() -> Self {
        let pause = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        Self { ill: false, doubts: 0, passed_over: None, pause }
    }
}

impl Health {
    pub(crate) fn is_good(&self, now: Duration) -> bool {
        let known = self.known();
        !known.ill && known.passed_over.is_none_or(|until| until <= now)
    }

    /// A check found it well; believed after `enough` in a row. It ends what a dial has met, too.
    pub(crate) fn checked_well(&self, enough: u32) -> Option<Turn> {
        let mut known = self.known();
        known.passed_over = None;
        known.pause.reset();
        known.weigh(false, enough).then_some(Turn::Recovered)
    }

    /// A check found it ill; believed after `enough` in a row.
    pub(crate) fn checked_ill(&self, enough: u32) -> Option<Turn> {
        self.known().weigh(true, enough).then_some(Turn::FellIll)
    }

    /// Whether checks have found it ill.
    pub(crate) fn is_ill(&self) -> bool {
        self.known().ill
    }

    /// A dial was answered.
    pub(super) fn dialled(&self) {
        let mut known = self.known();
        known.passed_over = None;
        known.pause.reset();
    }

    /// A dial was not.
    pub(super) fn failed(&self, now: Duration) {
        let mut known = self.known();
        let pause = known.pause.next();
        known.passed_over = Some(now + pause);
    }

    /// Nobody checks any more.
    pub(super) fn forget_checks(&self) {
        let mut known = self.known();
        (known.ill, known.doubts) = (false, 0);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // No code that could panic half-way runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether the judgement changes.
    fn weigh(&mut self, ill: bool, enough: u32) -> bool {
        if self.ill == ill {
            self.doubts = 0;
            return false;
        }
        self.doubts += 1;
        if self.doubts < enough {
            return false;
        }
        (self.ill, self.doubts) = (ill, 0);
        true
    }
}
