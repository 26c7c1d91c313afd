//! What is known of one hook.

use std::time::{Duration, SystemTime};

use super::Vitals;

/// Notes how the runs of one hook go.
#[derive(Clone, Debug)]
pub(crate) struct HookVitals {
    vitals: Vitals,
    index: usize,
}

#[derive(Debug)]
pub(super) struct HookState {
    pub(super) name: String,
    required: bool,
    pub(super) is_running: bool,
    /// `None` before the first run has ended.
    pub(super) last: Option<Result<(), String>>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) took: Duration,
    pub(super) succeeded_at: Option<SystemTime>,
}

impl HookVitals {
    pub(super) fn new(vitals: Vitals, index: usize) -> Self {
        Self { vitals, index }
    }

    pub(crate) fn started(&self) {
        self.note(|hook| hook.is_running = true);
    }

    /// A run has ended after `took`, with the reason if it did not succeed.
    pub(crate) fn ended(&self, took: Duration, outcome: Result<(), String>) {
        let now = self.vitals.clock.now();
        self.note(|hook| {
            hook.is_running = false;
            hook.took += took;
            match &outcome {
                Ok(()) => {
                    hook.succeeded += 1;
                    hook.succeeded_at = Some(now);
                }
                Err(_) => hook.failed += 1,
            }
            hook.last = Some(outcome);
        });
    }

    fn note(&self, change: impl FnOnce(&mut HookState)) {
        self.vitals.state.send_modify(|state| change(&mut state.hooks[self.index]));
    }
}

impl HookState {
    pub(super) fn new(name: &str, required: bool) -> Self {
        Self {
            name: name.to_owned(),
            required,
            is_running: false,
            last: None,
            succeeded: 0,
            failed: 0,
            took: Duration::ZERO,
            succeeded_at: None,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        !self.required || matches!(self.last, Some(Ok(())))
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.last, Some(Err(_)))
    }
}
