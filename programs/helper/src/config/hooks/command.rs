//! `cmd`, and blocks `command { }`: programs that are started once the files are there.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};

use super::arguments::{Arguments, Written};
use super::kinds::{self, Kinds};
use super::signal::{self, SignalName};

/// A program that is started, told of new files, and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandConfig {
    /// By which health and metrics know it.
    pub(crate) name: String,
    pub(crate) line: CommandLine,
    /// What it is sent when there are new files; `None` sends nothing.
    pub(crate) renew_signal: Option<SignalName>,
    pub(crate) restart: Restart,
    /// How long it may take to end before it is ended by force; `None` for as long as it likes.
    pub(crate) stop_grace: Option<Duration>,
    pub(crate) on: Kinds,
    /// Whether the helper is ready only while this one runs, or has ended well.
    pub(crate) required: bool,
    /// Whether the helper ends when it does, with its exit code.
    pub(crate) is_program: bool,
}

/// A program and its arguments, as the operating system takes them: no shell comes between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// When a program that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Restart {
    /// At the next delivery, as the ancestor does.
    #[default]
    Renewal,
    /// After a pause when it has failed, else at the next delivery.
    OnFailure,
    /// After a pause.
    Always,
    /// Not at all.
    Never,
}

/// The ancestor's keys, and `restart`.
pub(super) fn take_cmd(
    block: &mut Block,
    renew_signal: Option<SignalName>,
    stop_grace: Option<Duration>,
) -> Result<Option<CommandConfig>, HclError> {
    let line = take_line(block)?;
    let restart = block.take_parsed("restart")?;
    let Some(line) = line else {
        return match restart {
            Some(_) => {
                Err(block.error_at("restart", "restart is set, and there is no cmd: add one, or remove it"))
            }
            None => Ok(None),
        };
    };
    Ok(Some(CommandConfig {
        name: line.name(),
        line,
        renew_signal,
        restart: restart.unwrap_or_default(),
        stop_grace: Some(stop_grace.unwrap_or(super::GRACE)),
        on: Kinds::ALL,
        required: false,
        is_program: false,
    }))
}

/// One block; `others` have taken their names.
pub(super) fn read(mut block: Block, others: &[CommandConfig]) -> Result<CommandConfig, HclError> {
    let Some(line) = take_line(&mut block)? else {
        return Err(block.error("command has no cmd: name the program to start"));
    };
    let taken = others.iter().map(|other| other.name.as_str()).collect::<Vec<_>>();
    let command = CommandConfig {
        name: super::name(&mut block, line.name(), &taken)?,
        line,
        renew_signal: signal::take(&mut block, "renew_signal")?,
        restart: block.take_parsed("restart")?.unwrap_or_default(),
        stop_grace: Some(super::positive(&mut block, "stop_grace")?.unwrap_or(super::GRACE)),
        on: kinds::take(&mut block)?,
        required: block.take("required")?.unwrap_or_default(),
        is_program: false,
    };
    block.finish()?;
    Ok(command)
}

/// `cmd` and `cmd_args`.
pub(super) fn take_line(block: &mut Block) -> Result<Option<CommandLine>, HclError> {
    let cmd = super::text(block, "cmd")?;
    let written = block.take::<Written>("cmd_args")?;
    let arguments = match written.map(Arguments::try_from).transpose() {
        Ok(arguments) => arguments.unwrap_or_default(),
        Err(error) => return Err(block.error_at("cmd_args", &format!("cmd_args: {error}"))),
    };
    let arguments = arguments.0.into_iter().map(OsString::from).collect();
    Ok(cmd.map(|program| CommandLine { program: program.into(), arguments }))
}

impl CommandLine {
    /// What the program is called, whose folder says nothing.
    pub(crate) fn name(&self) -> String {
        let name = Path::new(&self.program).file_name().unwrap_or(&self.program);
        name.to_string_lossy().into_owned()
    }
}

/// A word that is no such time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be renewal, on-failure, always or never, not `{}`", .0.escape_debug())]
pub(crate) struct RestartError(String);

impl FromStr for Restart {
    type Err = RestartError;

    fn from_str(text: &str) -> Result<Self, RestartError> {
        match text {
            "renewal" => Ok(Self::Renewal),
            "on-failure" => Ok(Self::OnFailure),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(RestartError(other.to_owned())),
        }
    }
}

/// For people; without the arguments, which may hold a secret.
impl fmt::Display for CommandConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "starts {}", self.line.program.display())?;
        match self.renew_signal {
            Some(signal) => write!(f, ", and sends it {signal} after {}", self.on)?,
            None => write!(f, ", and tells it nothing while it runs")?,
        }
        f.write_str(match self.restart {
            Restart::Renewal => "; once it has ended, starts it again at the next delivery",
            Restart::OnFailure => "; starts it again when it fails",
            Restart::Always => "; starts it again when it ends",
            Restart::Never if self.is_program => "; ends with it",
            Restart::Never => "; does not start it again",
        })
    }
}
