//! `pid_file_name`, and blocks `hook { }`: what is done at each delivery.

mod url;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};

pub(crate) use self::url::HookUrl;
use super::command::{self, CommandLine};
use super::kinds::{self, Kinds};
use super::signal::{self, SignalName};

/// How long one run may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts after the first that failed.
const RETRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The ancestor's ten steps.
const SIGNAL_RETRIES: u32 = 9;
const FIRST_SIGNAL_PAUSE: Duration = Duration::from_millis(100);
/// More would try on for days.
const MOST_RETRIES: u32 = 100;

/// What is done when there are new files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookEntry {
    /// By which health and metrics know it.
    pub(crate) name: String,
    pub(crate) action: Action,
    pub(crate) on: Kinds,
    /// For one run.
    pub(crate) timeout: Duration,
    /// Attempts after the first that failed.
    pub(crate) retries: u32,
    /// Before the first of these; each is twice as long.
    pub(crate) pause: Duration,
    /// Whether the helper is ready only once it has succeeded.
    pub(crate) required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Runs to its end, which must be a good one.
    Command(CommandLine),
    /// To the process that a file names.
    Signal { file: PathBuf, signal: SignalName },
    /// Answered by a status of success.
    Request { method: Method, url: HookUrl, socket: Option<PathBuf> },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    #[default]
    Post,
}

/// The ancestor's keys.
pub(super) fn take_pid_file(
    block: &mut Block,
    renew_signal: Option<SignalName>,
) -> Result<Option<HookEntry>, HclError> {
    let Some(file) = super::text(block, "pid_file_name")?.map(PathBuf::from) else { return Ok(None) };
    let Some(signal) = renew_signal else {
        return Err(block.error_at("pid_file_name", "must specify renew_signal when using pid_file_name"));
    };
    Ok(Some(HookEntry {
        name: "pid_file_name".to_owned(),
        action: Action::Signal { file, signal },
        on: Kinds::ALL,
        timeout: TIMEOUT,
        retries: SIGNAL_RETRIES,
        pause: FIRST_SIGNAL_PAUSE,
        required: false,
    }))
}

/// One block; `others` have taken their names.
pub(super) fn read(mut block: Block, others: &[HookEntry]) -> Result<HookEntry, HclError> {
    let action = take_action(&mut block)?;
    let taken = others.iter().map(|other| other.name.as_str()).collect::<Vec<_>>();
    let is_signal = matches!(action, Action::Signal { .. });
    let retries = block.take("retries")?;
    if retries.is_some_and(|retries: u32| retries > MOST_RETRIES) {
        return Err(block.error_at("retries", &format!("retries must be at most {MOST_RETRIES}")));
    }
    let hook = HookEntry {
        name: super::name(&mut block, action.about(), &taken)?,
        action,
        on: kinds::take(&mut block)?,
        timeout: super::positive(&mut block, "timeout")?.unwrap_or(TIMEOUT),
        retries: retries.unwrap_or(if is_signal { SIGNAL_RETRIES } else { RETRIES }),
        pause: if is_signal { FIRST_SIGNAL_PAUSE } else { FIRST_PAUSE },
        required: block.take("required")?.unwrap_or_default(),
    };
    block.finish()?;
    Ok(hook)
}

/// Exactly one of the three.
fn take_action(block: &mut Block) -> Result<Action, HclError> {
    let line = command::take_line(block)?;
    let file = super::text(block, "pid_file_name")?.map(PathBuf::from);
    let signal = signal::take(block, "signal")?;
    let url = block.take_parsed::<HookUrl>("url")?;
    let method = block.take_parsed::<Method>("method")?;
    let socket = block.take::<PathBuf>("socket")?;
    let problem = match (line, file, url) {
        (Some(line), None, None) => return Ok(Action::Command(line)),
        (None, Some(file), None) => match signal {
            Some(signal) => return Ok(Action::Signal { file, signal }),
            None => "hook has a pid_file_name and no signal: add one, such as \"SIGHUP\"",
        },
        (None, None, Some(url)) => {
            return Ok(Action::Request { method: method.unwrap_or_default(), url, socket });
        }
        (None, None, None) => "hook does nothing: add cmd, pid_file_name or url",
        _ => "hook does several things: keep one of cmd, pid_file_name and url, and write a hook for each",
    };
    Err(block.error(problem))
}

impl Action {
    fn about(&self) -> String {
        match self {
            Self::Command(line) => line.name(),
            Self::Signal { file, .. } => file.display().to_string(),
            Self::Request { url, .. } => url.to_string(),
        }
    }
}

/// A word that is no such method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be GET or POST, not `{}`", .0.escape_debug())]
pub(crate) struct MethodError(String);

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        match text {
            "GET" => Ok(Self::Get),
            "POST" => Ok(Self::Post),
            other => Err(MethodError(other.to_owned())),
        }
    }
}

/// For people; without what may be a secret.
impl fmt::Display for HookEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Command(line) => write!(f, "runs {}", line.program.display())?,
            Action::Signal { file, signal } => {
                write!(f, "sends {signal} to the process of {}", file.display())?;
            }
            Action::Request { url, .. } => write!(f, "calls {url}")?,
        }
        write!(f, " after {}", self.on)
    }
}
