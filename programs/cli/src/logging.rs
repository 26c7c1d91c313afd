//! `-logLevel`, `-logFormat` and `-logFile`: what a running program says, and where.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use finial_daemon::log::{self, Format, Level, LevelHandle, Output};

/// The flags; each overrules the configuration file.
#[derive(Args, Clone, Default)]
pub(crate) struct Logging {
    /// debug, info, warn or error
    #[arg(long = "logLevel", visible_alias = "log-level")]
    level: Option<Level>,
    /// text or json
    #[arg(long = "logFormat", visible_alias = "log-format")]
    format: Option<Format>,
    /// Append to this file, instead of writing to standard output or, where that is for answers, to standard error
    #[arg(long = "logFile", visible_alias = "log-file", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Logging {
    /// Begins to log, with what the configuration file says where the flags are silent.
    pub(crate) fn begin(&self, level: Level, format: Format, output: Output) -> Result<LevelHandle> {
        let output = self.file.clone().map_or(output, Output::File);
        Ok(log::init(self.level.unwrap_or(level), self.format.unwrap_or(format), &output)?)
    }

    /// Begins to log to standard error, for programs whose standard output is an answer.
    pub(crate) fn begin_beside_answers(&self, level: Level) -> Result<LevelHandle> {
        let output = self.file.clone().map_or(Output::Stderr, Output::File);
        Ok(log::init(self.level.unwrap_or(level), self.format.unwrap_or(Format::Text), &output)?)
    }
}
