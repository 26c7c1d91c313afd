//! How the helper is: what stands in its files and until when, and how those fare that were told.

mod announcer;
mod command;
mod hook;
mod metrics;
mod output;
mod page;
mod report;
mod server;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use finial_daemon::Clock;
use tokio::sync::watch;

pub(crate) use self::announcer::Announcer;
use self::command::CommandState;
pub(crate) use self::command::CommandVitals;
use self::hook::HookState;
pub(crate) use self::hook::HookVitals;
use self::output::OutputState;
pub(crate) use self::output::{OutputKind, OutputVitals};
pub(crate) use self::server::{HealthListener, METRICS};

/// What is known of every output, command and hook. Clones share it.
///
/// Each part writes its own line, by the handle that it was given; health, metrics and supervisor read them all.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    state: Arc<watch::Sender<State>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    outputs: Vec<OutputState>,
    commands: Vec<CommandState>,
    hooks: Vec<HookState>,
}

impl Vitals {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { state: Arc::default(), clock: clock.clone() }
    }

    /// One more output, which has not been written yet. `file` names it; of several files the certificate.
    pub(crate) fn output(&self, kind: OutputKind, file: &Path) -> OutputVitals {
        let mut index = 0;
        self.state.send_modify(|state| {
            index = state.outputs.len();
            state.outputs.push(OutputState::new(kind, file));
        });
        OutputVitals::new(self.clone(), index)
    }

    /// One more command, which has not been started yet. While one that is `required` is down, the helper is not ready.
    pub(crate) fn command(&self, name: &str, required: bool) -> CommandVitals {
        let mut index = 0;
        self.state.send_modify(|state| {
            index = state.commands.len();
            state.commands.push(CommandState::new(name, required));
        });
        CommandVitals::new(self.clone(), index)
    }

    /// One more hook, which has not run yet. Until one that is `required` has succeeded, the helper is not ready.
    pub(crate) fn hook(&self, name: &str, required: bool) -> HookVitals {
        let mut index = 0;
        self.state.send_modify(|state| {
            index = state.hooks.len();
            state.hooks.push(HookState::new(name, required));
        });
        HookVitals::new(self.clone(), index)
    }

    /// Resolves when health tells what a test waits for.
    #[cfg(test)]
    pub(crate) async fn until(&self, holds: impl Fn(&serde_json::Value) -> bool) {
        let told = |state: &State| holds(&report::body(state, true)["health"]);
        self.state.subscribe().wait_for(told).await.expect("the sender is here");
    }

    #[cfg(test)]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What Prometheus is told.
    #[cfg(test)]
    pub(crate) fn metrics(&self) -> String {
        metrics::text(&self.state.borrow(), self.clock.now())
    }
}

impl State {
    /// Nothing has failed that was to be written.
    fn is_live(&self) -> bool {
        !self.outputs.iter().any(OutputState::has_failed)
    }

    /// Everything stands in its place, and whoever is required to know does.
    fn is_ready(&self) -> bool {
        self.outputs.iter().all(OutputState::is_written)
            && self.commands.iter().all(CommandState::is_well)
            && self.hooks.iter().all(HookState::is_well)
    }

    /// Everything was written at least once.
    fn is_complete(&self) -> bool {
        self.outputs.iter().all(OutputState::was_written)
    }
}
