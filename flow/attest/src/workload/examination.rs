//! What each attestor says of a process: the ground of a proof, and an explanation to a human.

use std::time::Duration;

use finial_identity::{Selector, SelectorSet};

use crate::AttestError;

/// What every attestor said of a process, in the order of the configuration. It tells, and proves nothing.
#[derive(Debug)]
pub struct Examination {
    outcomes: Vec<Outcome>,
}

impl Examination {
    pub(super) fn of(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes }
    }

    /// One for each attestor.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Whether no attestor could say anything.
    pub(super) fn is_in_vain(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.found.is_err())
    }

    /// What was found, and the names of the attestors that did not answer.
    pub(super) fn into_parts(self) -> (SelectorSet, Vec<String>) {
        let (mut selectors, mut missing) = (Vec::new(), Vec::new());
        for outcome in self.outcomes {
            match outcome.found {
                Ok(found) => selectors.extend(found),
                Err(_) => missing.push(outcome.attestor),
            }
        }
        (selectors.into_iter().collect(), missing)
    }
}

/// What one attestor said of a process.
#[derive(Debug)]
pub struct Outcome {
    pub(super) attestor: String,
    pub(super) found: Result<Vec<Selector>, AttestError>,
    pub(super) took: Duration,
}

impl Outcome {
    /// The type of the attestor, such as `unix`.
    pub fn attestor(&self) -> &str {
        &self.attestor
    }

    /// The selectors that it found; values do not belong in logs.
    ///
    /// # Errors
    /// Why there are none: it failed, was late, or gave selectors that are not its own.
    pub fn selectors(&self) -> Result<&[Selector], &AttestError> {
        self.found.as_deref()
    }

    /// How long it took, on the monotonic clock.
    pub fn took(&self) -> Duration {
        self.took
    }
}
