//! Log levels.

use tonic::Status;

use crate::error::WireError;
use crate::proto::types::{self, LogLevel as Wire};
use crate::{LogLevel, LogLevels};

/// The level to log at, which must be named.
pub(crate) fn requested(level: i32) -> Result<LogLevel, Status> {
    match Wire::try_from(level) {
        Ok(Wire::Unspecified) => {
            Err(Status::invalid_argument("newLevel value cannot be LogLevel_UNSPECIFIED"))
        }
        Ok(level) => log_level(level).map_err(WireError::refusal),
        Err(_) => Err(WireError::LogLevel(level).refusal()),
    }
}

pub(crate) fn log_levels(logger: types::Logger) -> Result<LogLevels, WireError> {
    let level = |level| Wire::try_from(level).map_err(|_| WireError::LogLevel(level)).and_then(log_level);
    Ok(LogLevels { current: level(logger.current_level)?, launch: level(logger.launch_level)? })
}

pub(crate) fn to_logger(levels: LogLevels) -> types::Logger {
    types::Logger {
        current_level: to_log_level(levels.current).into(),
        launch_level: to_log_level(levels.launch).into(),
    }
}

pub(crate) fn to_log_level(level: LogLevel) -> Wire {
    match level {
        LogLevel::Panic => Wire::Panic,
        LogLevel::Fatal => Wire::Fatal,
        LogLevel::Error => Wire::Error,
        LogLevel::Warn => Wire::Warn,
        LogLevel::Info => Wire::Info,
        LogLevel::Debug => Wire::Debug,
        LogLevel::Trace => Wire::Trace,
    }
}

fn log_level(level: Wire) -> Result<LogLevel, WireError> {
    Ok(match level {
        Wire::Unspecified => return Err(WireError::LogLevel(level.into())),
        Wire::Panic => LogLevel::Panic,
        Wire::Fatal => LogLevel::Fatal,
        Wire::Error => LogLevel::Error,
        Wire::Warn => LogLevel::Warn,
        Wire::Info => LogLevel::Info,
        Wire::Debug => LogLevel::Debug,
        Wire::Trace => LogLevel::Trace,
    })
}
