//! Logging: one line for each event, for people first, with the values repeated as fields.

use std::path::PathBuf;
use std::str::FromStr;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Someone must act.
    Error,
    /// We carried on, degraded.
    Warn,
    /// Something happened once.
    #[default]
    Info,
    /// For the developers of this program.
    Debug,
    /// Everything, libraries included.
    Trace,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `time level message key=value`.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Standard output, as SPIRE does.
    #[default]
    Stdout,
    /// Standard error, for commands whose standard output is an answer.
    Stderr,
    /// The end of a file.
    File(PathBuf),
}

/// A level or format that is not known, or logging that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not a level.
    #[error("unknown log level `{0}`: use error, warn, info, debug or trace")]
    UnknownLevel(String),
    /// Not a format.
    #[error("unknown log format `{0}`: use text or json")]
    UnknownFormat(String),
    /// The log file cannot be opened.
    #[error("cannot open the log file {}: create its folder, and let this user write there", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// This process already logs.
    #[error("logging has already begun in this process")]
    AlreadyBegun,
}

/// Changes the level of a running program. Clones change the same level.
#[derive(Clone, Debug)]
pub struct LevelHandle {}

/// Begins logging for the whole process.
///
/// # Errors
/// [`LogError::CannotOpen`], [`LogError::AlreadyBegun`].
pub fn init(level: Level, format: Format, output: &Output) -> Result<LevelHandle, LogError> {
    let _ = (level, format, output);
    Ok(LevelHandle {})
}

impl LevelHandle {
    /// Logs at `level` from now on.
    pub fn set(&self, level: Level) {
        let _ = level;
    }

    /// The level in force.
    pub fn level(&self) -> Level {
        Level::Info
    }
}

impl FromStr for Level {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        Err(LogError::UnknownLevel(text.to_owned()))
    }
}

impl FromStr for Format {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        Err(LogError::UnknownFormat(text.to_owned()))
    }
}
