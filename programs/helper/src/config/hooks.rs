//! Whom to tell of what was delivered, and who may ask how the helper is.

mod arguments;
mod command;
mod health;
mod hook;
mod kinds;
mod signal;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};

pub(crate) use self::command::{CommandConfig, CommandLine, Restart};
pub(crate) use self::health::HealthConfig;
pub(crate) use self::hook::{Action, HookEntry, HookUrl, Method};
pub(crate) use self::kinds::Kinds;
pub(crate) use self::signal::SignalName;

/// How long a command that is asked to end may take, before it is ended by force.
const GRACE: Duration = Duration::from_secs(10);
/// Commands, and hooks.
const MOST: usize = 64;

/// Who is told of what was delivered, and where health is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookConfig {
    /// Programs that are started; the ancestor's `cmd` is the first.
    pub(crate) commands: Vec<CommandConfig>,
    /// What is done at each delivery; the ancestor's `pid_file_name` is the first.
    pub(crate) hooks: Vec<HookEntry>,
    /// `None` where it is not served.
    pub(crate) health: Option<HealthConfig>,
    has_cmd: bool,
    has_pid_file: bool,
    renew_signal: Option<SignalName>,
    stop_grace: Option<Duration>,
}

/// A program that cannot be started by this configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There are two.
    #[error("cmd is set, and a program is given after --: keep one of them")]
    Cmd,
}

impl HookConfig {
    /// Takes the keys about hooks, commands and health.
    ///
    /// # Errors
    /// At the lines of the keys at fault.
    pub(crate) fn take(block: &mut Block) -> Result<Self, HclError> {
        let mut faults = Vec::new();
        let mut keep = |error: HclError| faults.push(error);
        let renew_signal = signal::take(block, "renew_signal").map_err(&mut keep).unwrap_or_default();
        let stop_grace = positive(block, "stop_grace").map_err(&mut keep).unwrap_or_default();
        let cmd = command::take_cmd(block, renew_signal, stop_grace).map_err(&mut keep).unwrap_or_default();
        let pid_file = hook::take_pid_file(block, renew_signal).map_err(&mut keep).unwrap_or_default();
        let health = health::take(block).map_err(&mut keep).unwrap_or_default();
        let (has_cmd, has_pid_file) = (cmd.is_some(), pid_file.is_some());
        let mut commands = Vec::from_iter(cmd);
        for inner in block.take_blocks("command").map_err(&mut keep).unwrap_or_default() {
            commands.extend(command::read(inner, &commands).map_err(&mut keep).ok());
        }
        let mut hooks = Vec::from_iter(pid_file);
        for inner in block.take_blocks("hook").map_err(&mut keep).unwrap_or_default() {
            hooks.extend(hook::read(inner, &hooks).map_err(&mut keep).ok());
        }
        if commands.len().max(hooks.len()) > MOST {
            faults.push(block.error(&format!("there are more than {MOST} commands or hooks")));
        }
        match HclError::join(faults) {
            Some(error) => Err(error),
            None => Ok(Self { commands, hooks, health, has_cmd, has_pid_file, renew_signal, stop_grace }),
        }
    }

    /// What of it does not go with a single delivery, after which nobody is told: warnings.
    ///
    /// # Errors
    /// At the line of the key at fault.
    pub(crate) fn check_once(&self, block: &Block) -> Result<Vec<String>, HclError> {
        if self.has_pid_file {
            let problem = "pid_file_name is set but daemon_mode is false. pid_file_name is only supported in daemon_mode";
            return Err(block.error_at("pid_file_name", problem));
        }
        let ignored = [
            ("cmd", self.has_cmd),
            ("renew_signal", self.renew_signal.is_some()),
            ("command", self.commands.len() > usize::from(self.has_cmd)),
            ("hook", !self.hooks.is_empty()),
        ];
        let told = ignored.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| {
            format!(
                "{key} is set but daemon_mode is false. {key} will be ignored. \
                 This may become an error in a future release."
            )
        });
        Ok(told.collect())
    }

    /// Has a program started that the helper ends with: once, and it gets `renew_signal`. Whoever runs the helper knows
    /// how long it may take to end, unless `stop_grace` is set.
    ///
    /// # Errors
    /// When there is a `cmd` already, whose place it takes.
    pub fn set_program(&mut self, program: OsString, arguments: Vec<OsString>) -> Result<(), ProgramError> {
        if self.has_cmd {
            return Err(ProgramError::Cmd);
        }
        let line = CommandLine { program, arguments };
        let taken = self.commands.iter().map(|command| command.name.as_str()).collect::<BTreeSet<_>>();
        let name = line.name();
        let name = if taken.contains(name.as_str()) { "exec".to_owned() } else { name };
        self.commands.push(CommandConfig {
            name,
            line,
            renew_signal: self.renew_signal,
            restart: Restart::Never,
            stop_grace: self.stop_grace,
            on: Kinds::ALL,
            required: true,
            is_program: true,
        });
        Ok(())
    }

    /// Who is told, each in a line for people.
    pub fn lines(&self) -> Vec<String> {
        let commands = self.commands.iter().map(CommandConfig::to_string);
        commands.chain(self.hooks.iter().map(HookEntry::to_string)).collect()
    }
}

/// A span that is longer than nothing.
fn positive(block: &mut Block, key: &'static str) -> Result<Option<Duration>, HclError> {
    match block.take::<Duration>(key)? {
        Some(Duration::ZERO) => Err(block.error_at(key, &format!("{key} must be longer than 0s"))),
        span => Ok(span),
    }
}

/// A text; an empty one is as none, as it is in Go.
fn text(block: &mut Block, key: &'static str) -> Result<Option<String>, HclError> {
    Ok(block.take::<String>(key)?.filter(|text| !text.is_empty()))
}

/// The name by which health and metrics know it: its own, or what it is about.
fn name(block: &mut Block, about: String, taken: &[&str]) -> Result<String, HclError> {
    let name = text(block, "name")?.unwrap_or(about);
    if taken.contains(&name.as_str()) {
        return Err(block.error(&format!("`{name}` is the name of another one too: add a name of its own")));
    }
    Ok(name)
}
