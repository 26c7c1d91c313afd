//! How much a program logs, in the words of SPIRE's Logger services.

use std::fmt;
use std::str::FromStr;

/// A level of SPIRE's log, the quietest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What ends the program by a panic.
    Panic,
    /// What ends the program.
    Fatal,
    /// Someone must act.
    Error,
    /// The program carried on, degraded.
    Warn,
    /// Something happened once.
    Info,
    /// For developers.
    Debug,
    /// Everything.
    Trace,
}

/// How a program logs now, and how it did when it was launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevels {
    /// In force.
    pub current: LogLevel,
    /// What a reset goes back to.
    pub launch: LogLevel,
}

/// A word that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log level `{0}`: use panic, fatal, error, warn, info, debug or trace")]
pub struct UnknownLogLevel(String);

impl fmt::Display for LogLevel {
    /// As SPIRE prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    /// Reads a level in any case, and `warning` for warn, as SPIRE does.
    fn from_str(text: &str) -> Result<Self, UnknownLogLevel> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "panic" => Self::Panic,
            "fatal" => Self::Fatal,
            "error" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return Err(UnknownLogLevel(text.to_owned())),
        })
    }
}
