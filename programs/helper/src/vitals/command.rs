//! What is known of one command.

use super::Vitals;

/// Notes how one command fares.
#[derive(Clone, Debug)]
pub(crate) struct CommandVitals {
    vitals: Vitals,
    index: usize,
}

#[derive(Debug)]
pub(super) struct CommandState {
    pub(super) name: String,
    required: bool,
    pub(super) life: Life,
    pub(super) starts: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) told: u64,
}

/// Where it is in its life.
#[derive(Debug)]
pub(super) enum Life {
    /// The files are not complete yet.
    Waiting,
    Running {
        process: u32,
    },
    Succeeded,
    /// It did not start, or ended badly.
    Failed {
        reason: String,
    },
}

impl CommandVitals {
    pub(super) fn new(vitals: Vitals, index: usize) -> Self {
        Self { vitals, index }
    }

    pub(crate) fn started(&self, process: u32) {
        self.note(|command| {
            command.life = Life::Running { process };
            command.starts += 1;
        });
    }

    /// It was sent its signal.
    pub(crate) fn told(&self) {
        self.note(|command| command.told += 1);
    }

    pub(crate) fn succeeded(&self) {
        self.note(|command| {
            command.life = Life::Succeeded;
            command.succeeded += 1;
        });
    }

    pub(crate) fn failed(&self, reason: &str) {
        self.note(|command| {
            command.life = Life::Failed { reason: reason.to_owned() };
            command.failed += 1;
        });
    }

    fn note(&self, change: impl FnOnce(&mut CommandState)) {
        self.vitals.state.send_modify(|state| change(&mut state.commands[self.index]));
    }
}

impl CommandState {
    pub(super) fn new(name: &str, required: bool) -> Self {
        let name = name.to_owned();
        Self { name, required, life: Life::Waiting, starts: 0, succeeded: 0, failed: 0, told: 0 }
    }

    pub(super) fn is_well(&self) -> bool {
        !self.required || matches!(self.life, Life::Running { .. } | Life::Succeeded)
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.life, Life::Failed { .. })
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.life, Life::Running { .. })
    }
}
