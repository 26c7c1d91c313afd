//! A command, as long as the helper runs: started once the files are there, told of new ones, started again, ended.

mod children;
mod orders;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use finial_daemon::{Backoff, Clock, go};
use rustix::process::Signal;
use tokio::process::Command;

pub(crate) use self::children::{Child, Children, Group, is_first};
use self::orders::Order;
pub(crate) use self::orders::{Commander, ENDING, Incoming, Orders, PASSED, PASSED_TO_PROGRAM};
use crate::config::{CommandConfig, Restart};
use crate::delivered::{self, Deliveries};
use crate::vitals::CommandVitals;

/// Before a command that has ended is started again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Whoever ran for so long has not failed at its start.
const STEADY: Duration = Duration::from_secs(60);
/// The codes by which a shell says that a program cannot be run, and that there is none.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Looks after one command.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) config: CommandConfig,
    pub(crate) children: Children,
    pub(crate) vitals: CommandVitals,
    pub(crate) orders: Orders,
    pub(crate) clock: Clock,
}

/// When a command that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Never,
    AtDelivery,
    /// A delivery comes first if it comes before.
    After(Duration),
}

/// How a command has ended that had been started, or had not.
#[derive(Debug)]
struct End {
    outcome: io::Result<ExitStatus>,
    /// It was asked to.
    asked: bool,
    /// How long it ran.
    ran: Duration,
}

impl Supervised {
    /// Looks after it until it is asked to end, or has ended and is not started again. Returns the code with which it ended
    /// last, as a shell tells it; where it was never started, that of the signal by which it was asked to end.
    pub(crate) async fn run(mut self, mut deliveries: Deliveries) -> u8 {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let (mut told, mut next, mut last) = (0, Next::AtDelivery, None);
        loop {
            tokio::select! {
                biased;
                by = self.orders.stop() => return last.unwrap_or(code_of(by)),
                count = delivered::next(&mut deliveries, self.config.on, told) => told = count,
                () = next.pause(&self.clock) => {}
            }
            let end = self.live(&mut deliveries, &mut told).await;
            if end.ran >= STEADY {
                backoff.reset();
            }
            next = self.next(&end, &mut backoff);
            self.note(&end, next);
            let code = code(&end.outcome);
            if next == Next::Never {
                return code;
            }
            last = Some(code);
        }
    }

    fn next(&self, end: &End, backoff: &mut Backoff) -> Next {
        match self.config.restart {
            _ if end.asked => Next::Never,
            Restart::Never => Next::Never,
            Restart::Always => Next::After(backoff.next()),
            Restart::OnFailure if !is_success(&end.outcome) => Next::After(backoff.next()),
            Restart::OnFailure | Restart::Renewal => Next::AtDelivery,
        }
    }

    /// From a start to the end.
    async fn live(&mut self, deliveries: &mut Deliveries, told: &mut u64) -> End {
        let began = self.clock.monotonic();
        let (outcome, asked) = match self.start() {
            Ok(mut child) => self.attend(&mut child, deliveries, told).await,
            Err(error) => (Err(error), false),
        };
        End { outcome, asked, ran: self.clock.monotonic().saturating_sub(began) }
    }

    /// With our own standard input, output and error, as the ancestor does.
    fn start(&mut self) -> io::Result<Child> {
        self.orders.forget_signals();
        let group = if io::stdin().is_terminal() { Group::Ours } else { Group::Own };
        let mut command = Command::new(&self.config.line.program);
        let child = self.children.start(command.args(&self.config.line.arguments), group)?;
        tracing::info!(
            command = self.config.name,
            process = child.id(),
            "the command {} was started",
            self.config.name
        );
        self.vitals.started(child.id());
        Ok(child)
    }

    /// While it runs. `true` when it was asked to end.
    async fn attend(
        &mut self,
        child: &mut Child,
        deliveries: &mut Deliveries,
        told: &mut u64,
    ) -> (io::Result<ExitStatus>, bool) {
        loop {
            tokio::select! {
                biased;
                outcome = child.wait() => return (outcome, false),
                order = self.orders.next() => match order {
                    Order::Pass(signal) => child.pass(signal),
                    Order::Stop(by) => return (self.end(child, by).await, true),
                },
                count = delivered::next(deliveries, self.config.on, *told) => {
                    *told = count;
                    if let Some(signal) = self.config.renew_signal {
                        tracing::debug!(command = self.config.name, "the command is sent {signal}");
                        child.signal(signal.0);
                        self.vitals.told();
                    }
                }
            }
        }
    }

    /// Asks it to end, and ends it by force once its grace is over.
    async fn end(&mut self, child: &mut Child, by: Signal) -> io::Result<ExitStatus> {
        child.pass(by);
        let Some(grace) = self.config.stop_grace else { return self.last_moments(child).await };
        let clock = self.clock.clone();
        match clock.timeout(grace, self.last_moments(child)).await {
            Ok(outcome) => outcome,
            Err(elapsed) => {
                tracing::warn!(
                    command = self.config.name,
                    "the command {} did not end within {} and is ended by force",
                    self.config.name,
                    go::format_duration(elapsed.0),
                );
                child.signal_all(Signal::KILL);
                child.wait().await
            }
        }
    }

    /// Until it has ended, signals are passed on.
    async fn last_moments(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            tokio::select! {
                biased;
                outcome = child.wait() => return outcome,
                signal = self.orders.passed() => child.pass(signal),
            }
        }
    }

    fn note(&self, end: &End, next: Next) {
        let name = &self.config.name;
        match &end.outcome {
            Ok(status) if status.success() => {
                tracing::info!(command = name, "the command {name} has ended{next}");
                self.vitals.succeeded();
            }
            Ok(status) => {
                let hint = self.hint(*status);
                if end.asked {
                    tracing::info!(command = name, %status, "the command {name} has ended by {status}");
                } else {
                    tracing::warn!(command = name, %status, "the command {name} has failed by {status}{hint}{next}");
                }
                self.vitals.failed(&format!("{status}{hint}"));
            }
            Err(error) => {
                let program = self.config.line.program.display();
                tracing::error!(command = name, %error, "the command {program} cannot be run{next}");
                self.vitals.failed(&format!("{program} cannot be run: {error}"));
            }
        }
    }

    /// A program that does not know its signal dies of it.
    fn hint(&self, status: ExitStatus) -> String {
        match self.config.renew_signal {
            Some(signal) if status.signal() == Some(signal.0.as_raw()) => {
                format!(
                    ", its own renew_signal, which it does not handle: set renew_signal = \"\", or the one that it knows instead of {signal}"
                )
            }
            _ => String::new(),
        }
    }
}

impl Next {
    async fn pause(self, clock: &Clock) {
        match self {
            Self::After(pause) => clock.sleep(pause).await,
            Self::Never | Self::AtDelivery => std::future::pending().await,
        }
    }
}

/// As the end of a sentence.
impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => Ok(()),
            Self::AtDelivery => f.write_str("; it is started again at the next delivery"),
            Self::After(pause) => write!(f, "; it is started again in {:.1}s", pause.as_secs_f64()),
        }
    }
}

fn is_success(outcome: &io::Result<ExitStatus>) -> bool {
    outcome.as_ref().is_ok_and(ExitStatus::success)
}

/// As a shell tells it.
fn code(outcome: &io::Result<ExitStatus>) -> u8 {
    match outcome {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => u8::try_from(code & 0xff).unwrap_or(1),
            (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            (None, None) => 1,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
        Err(_) => NOT_EXECUTABLE,
    }
}

/// Of a program that a signal has ended.
fn code_of(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX)
}
