//! `-logLevel`, `-logFormat` and `-logFile`: what a running program says, and where.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use finial_daemon::log::{self, Format, Level, LevelHandle, Output, Settings};

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

/// The same for server and agent.
#[derive(Args, Clone, Default)]
pub(crate) struct ServingLogging {
    #[command(flatten)]
    logging: Logging,
    /// Say with each line where in the source it comes from
    #[arg(long = "logSourceLocation", visible_alias = "log-source-location", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    source_location: Option<bool>,
}

impl ServingLogging {
    /// Begins to log, with what the configuration file says where the flags are silent.
    pub(crate) fn begin_as(&self, file: Settings) -> Result<()> {
        let Logging { level, format, file: path } = self.logging.clone();
        log::begin(&Settings {
            level: level.unwrap_or(file.level),
            format: format.unwrap_or(file.format),
            output: path.map_or(file.output, Output::File),
            source_location: self.source_location.unwrap_or(file.source_location),
        })?;
        Ok(())
    }
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
