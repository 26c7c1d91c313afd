//! One hook: what is done at each delivery, and again until it succeeds.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::time::Duration;

use finial_daemon::{Backoff, Clock, Drain, Elapsed};

use super::pid_file::{self, PidFileError};
use super::request::{self, RequestError};
use super::run::{self, RunError};
use crate::child::Children;
use crate::config::{Action, HookEntry};
use crate::delivered::{self, Deliveries};
use crate::vitals::HookVitals;

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Does it for as long as the helper runs: one run at a time, and for all that comes during one, one more.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) entry: HookEntry,
    pub(super) children: Children,
    pub(super) vitals: HookVitals,
    pub(super) clock: Clock,
}

/// Why a run has failed.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Late(#[from] Elapsed),
    #[error("the helper ended meanwhile")]
    Stopped,
}

impl Hook {
    /// Until the end is requested.
    pub(super) async fn run(self, mut deliveries: Deliveries, drain: Drain) {
        let mut told = 0;
        loop {
            tokio::select! {
                biased;
                () = drain.requested() => return,
                count = delivered::next(&mut deliveries, self.entry.on, told) => told = count,
            }
            self.succeed(&mut deliveries, &mut told, &drain).await;
        }
    }

    /// Tries until it succeeds, or attempts run out. A delivery meanwhile begins anew.
    async fn succeed(&self, deliveries: &mut Deliveries, told: &mut u64, drain: &Drain) {
        let mut backoff = Backoff::new(self.entry.pause, LONGEST_PAUSE);
        let mut left = self.entry.retries;
        loop {
            let Err(error) = self.attempt(drain).await else { return };
            let is_last = left == 0 || drain.is_requested();
            self.tell_people(&error, is_last);
            if is_last {
                return;
            }
            left -= 1;
            let pause = backoff.next();
            tokio::select! {
                biased;
                () = drain.requested() => return,
                count = delivered::next(deliveries, self.entry.on, *told) => {
                    *told = count;
                    left = self.entry.retries;
                    backoff.reset();
                }
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    fn tell_people(&self, error: &HookError, is_last: bool) {
        let (name, output, error) = (&self.entry.name, error.output(), error as &(dyn Error + 'static));
        if is_last {
            tracing::error!(
                hook = name,
                error,
                output,
                "the hook {name} has failed, and waits for the next delivery"
            );
        } else {
            tracing::warn!(hook = name, error, output, "the hook {name} has failed, and is tried again");
        }
    }

    async fn attempt(&self, drain: &Drain) -> Result<(), HookError> {
        let began = self.clock.monotonic();
        self.vitals.started();
        let outcome = self.perform(drain).await;
        let took = self.clock.monotonic().saturating_sub(began);
        self.vitals.ended(took, outcome.as_ref().map(|&()| ()).map_err(|error| with_causes(error)));
        if outcome.is_ok() {
            tracing::info!(hook = self.entry.name, "the hook {} has run", self.entry.name);
        }
        outcome
    }

    async fn perform(&self, drain: &Drain) -> Result<(), HookError> {
        match &self.entry.action {
            Action::Command(line) => {
                let limit = self.entry.timeout;
                Ok(run::to_its_end(line, limit, &self.children, &self.clock, drain).await?)
            }
            Action::Signal { file, signal } => Ok(pid_file::send(file, *signal)?),
            Action::Request { method, url, socket } => {
                let sent = request::send(*method, url, socket.as_deref());
                tokio::select! {
                    answer = self.clock.timeout(self.entry.timeout, sent) => Ok(answer??),
                    () = drain.requested() => Err(HookError::Stopped),
                }
            }
        }
    }
}

impl HookError {
    /// The end of what a command has printed.
    fn output(&self) -> Option<String> {
        match self {
            Self::Run(
                RunError::Failed { output, .. }
                | RunError::Late { output, .. }
                | RunError::Stopped { output },
            ) => Some(output.clone()),
            _ => None,
        }
    }
}

/// An error with its causes, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
