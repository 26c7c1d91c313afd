//! Those who are told of what was delivered: commands, and hooks. Each in a task of its own, so that one that hangs holds
//! up no other; in which order they are told is not promised.

mod hook;
mod pid_file;
mod request;
mod run;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::io;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use rustix::process::Signal;
use tokio::sync::oneshot;

use self::hook::Hook;
use crate::HookConfig;
use crate::child::{Children, Commander, ENDING, Incoming, PASSED, PASSED_TO_PROGRAM, Supervised, is_first};
use crate::delivered::Deliveries;
use crate::vitals::Vitals;

/// For those that were ended by force, and for what is no command.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// All who are told, until they are [stopped](Self::stop).
#[derive(Debug)]
pub(crate) struct Hooks {
    commander: Commander,
    /// Ends with the program that the helper stands for.
    program: Option<oneshot::Receiver<u8>>,
    /// Commands and hooks.
    told: Tasks,
    /// What they need to the last: signals that are passed on, and the ends of orphans.
    lasting: Tasks,
    /// `None` for as long as they like.
    grace: Option<Duration>,
}

/// Why those who are told are told no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The program has ended that the helper stands for, with this exit code.
    Program(u8),
    /// A task has panicked.
    Panicked(&'static str),
}

impl Hooks {
    /// Begins: nobody is told, and no command started, before everything was written. From now on signals are passed on,
    /// if there is a command.
    ///
    /// # Errors
    /// When signals cannot be listened to, or orphans not be adopted.
    pub(crate) fn start(
        config: &HookConfig,
        deliveries: &Deliveries,
        vitals: &Vitals,
        clock: &Clock,
    ) -> io::Result<Self> {
        let (told, lasting) = (Tasks::new(clock.clone()), Tasks::new(clock.clone()));
        let (children, commander) = (Children::default(), Commander::new());
        let has_program = config.commands.iter().any(|command| command.is_program);
        if has_program {
            Children::adopt()?;
        }
        if has_program || is_first() {
            let (children, drain) = (children.clone(), lasting.drain());
            lasting.spawn("orphans", async move {
                tokio::select! {
                    () = children.reap_others() => {}
                    () = drain.requested() => {}
                }
            });
        }
        let mut hooks = Self { commander, program: None, grace: grace(config), told, lasting };
        if has_program {
            hooks.pass_on(PASSED_TO_PROGRAM)?;
        } else if !config.commands.is_empty() {
            hooks.pass_on(PASSED)?;
        }
        for config in &config.commands {
            let supervised = Supervised {
                config: config.clone(),
                children: children.clone(),
                vitals: vitals.command(&config.name, config.required),
                orders: hooks.commander.orders(),
                clock: clock.clone(),
            };
            let (sender, receiver) = oneshot::channel();
            if config.is_program {
                hooks.program = Some(receiver);
            }
            let running = supervised.run(deliveries.clone());
            hooks.told.spawn("command", async move {
                // Nobody asks for the code of most.
                let _ = sender.send(running.await);
            });
        }
        for entry in &config.hooks {
            let hook = Hook {
                entry: entry.clone(),
                children: children.clone(),
                vitals: vitals.hook(&entry.name, entry.required),
                clock: clock.clone(),
            };
            hooks.told.spawn("hook", hook.run(deliveries.clone(), hooks.told.drain()));
        }
        Ok(hooks)
    }

    /// Resolves when there is no sense in going on. May be dropped while waiting.
    pub(crate) async fn ended(&mut self) -> Ended {
        let (told, lasting) = (self.told.drain(), self.lasting.drain());
        tokio::select! {
            biased;
            code = code(self.program.as_mut()) => Ended::Program(code),
            () = told.requested() => Ended::Panicked(self.told.panicked().unwrap_or("hook")),
            () = lasting.requested() => Ended::Panicked(self.lasting.panicked().unwrap_or("signals")),
        }
    }

    /// Asks all commands to end by this signal, waits for as long as they may take, and returns the exit code of the
    /// program that the helper stands for, if there is one. Further signals that ask for the end are passed on.
    pub(crate) async fn stop(mut self, by: Signal) -> Option<u8> {
        if let Err(error) = self.pass_on(ENDING) {
            tracing::warn!(%error, "further signals are not passed on");
        }
        self.commander.stop(by);
        let grace = self.grace.map_or(Duration::MAX, |grace| grace + LAST_GRACE);
        self.told.stop(grace).await;
        self.lasting.stop(LAST_GRACE).await;
        self.program.and_then(|mut program| program.try_recv().ok())
    }

    fn pass_on(&mut self, signals: &[Signal]) -> io::Result<()> {
        let incoming = Incoming::listen(signals)?;
        let (commander, drain) = (self.commander.clone(), self.lasting.drain());
        self.lasting.spawn("signals", async move {
            tokio::select! {
                () = commander.pass_on(incoming) => {}
                () = drain.requested() => {}
            }
        });
        Ok(())
    }
}

async fn code(program: Option<&mut oneshot::Receiver<u8>>) -> u8 {
    match program {
        Some(program) => match program.await {
            Ok(code) => code,
            // Its task has panicked, which is told elsewhere.
            Err(_) => pending().await,
        },
        None => pending().await,
    }
}

/// The longest that anybody may take to end.
fn grace(config: &HookConfig) -> Option<Duration> {
    let commands = config.commands.iter().map(|command| command.stop_grace);
    let hooks = config.hooks.iter().map(|_| Some(run::GRACE));
    commands.chain(hooks).try_fold(Duration::ZERO, |longest, grace| Some(longest.max(grace?)))
}
