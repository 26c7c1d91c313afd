//! How much this process logs. For callers on the server's own socket.

use async_trait::async_trait;
use finial_daemon::log::{self, Level, LevelHandle};
use finial_wire::server::LoggerApi;
use finial_wire::{LogLevel, LogLevels};
use tonic::{Extensions, Status};

/// Changes the log of this process.
#[derive(Debug)]
pub(super) struct LoggerEndpoint;

#[async_trait]
impl LoggerApi for LoggerEndpoint {
    async fn log_levels(&self, _: &Extensions) -> Result<LogLevels, Status> {
        handle().map(|handle| levels(&handle))
    }

    async fn set_log_level(&self, _: &Extensions, level: LogLevel) -> Result<LogLevels, Status> {
        set(&handle()?, to_level(level))
    }

    async fn reset_log_level(&self, _: &Extensions) -> Result<LogLevels, Status> {
        let handle = handle()?;
        set(&handle, handle.launch())
    }
}

fn handle() -> Result<LevelHandle, Status> {
    log::level_handle()
        .ok_or_else(|| Status::unavailable("this process has no log of its own whose level could be changed"))
}

fn set(handle: &LevelHandle, level: Level) -> Result<LogLevels, Status> {
    handle.set(level);
    let levels = levels(handle);
    tracing::info!(level = %levels.current, launch_level = %levels.launch, "the log level was set");
    Ok(levels)
}

fn levels(handle: &LevelHandle) -> LogLevels {
    LogLevels { current: from_level(handle.current()), launch: from_level(handle.launch()) }
}

/// What ends a program is an error here.
fn to_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Panic | LogLevel::Fatal | LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warn,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    }
}

fn from_level(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
        Level::Trace => LogLevel::Trace,
    }
}
