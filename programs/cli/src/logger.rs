//! `finial agent logger …` and `finial server logger …`: how much a running program logs.

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use finial_wire::client::LoggerClient;
use finial_wire::{LogLevel, LogLevels};
use serde_json::json;

use crate::{
    connection::{AdminSocket, ServerSocket, refused},
    output::Output,
};

/// The verbs, for a program that is reached by the socket `S`.
#[derive(Subcommand)]
pub(crate) enum Command<S: Args> {
    /// Show the log level
    Get(Ask<S>),
    /// Change the log level until it is reset, or the program ends
    Set(Set<S>),
    /// Go back to the log level of the configuration
    Reset(Ask<S>),
}

/// A socket whose program has a log.
pub(crate) trait LoggerSocket: Args {
    async fn logger(&self) -> Result<LoggerClient>;
}

impl LoggerSocket for AdminSocket {
    async fn logger(&self) -> Result<LoggerClient> {
        Ok(LoggerClient::agent(self.connect().await?))
    }
}

impl LoggerSocket for ServerSocket {
    async fn logger(&self) -> Result<LoggerClient> {
        Ok(LoggerClient::server(self.connect().await?))
    }
}

#[derive(Args)]
pub(crate) struct Ask<S: Args> {
    #[command(flatten)]
    socket: S,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Set<S: Args> {
    /// One of panic, fatal, error, warn, info, debug, trace
    #[arg(long)]
    level: Option<String>,
    #[command(flatten)]
    ask: Ask<S>,
}

impl<S: LoggerSocket> Command<S> {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Get(ask) => {
                let levels = ask.socket.logger().await?.log_levels().await;
                ask.print(levels.map_err(refused("failed to get the log level"))?);
            }
            Self::Set(Set { level, ask }) => {
                let Some(level) = level else { bail!("a value (-level) must be set") };
                let level: LogLevel =
                    level.parse().map_err(|_| anyhow!("the value {level:?} is not a valid setting"))?;
                let levels = ask.socket.logger().await?.set_log_level(level).await;
                ask.print(levels.map_err(refused("failed to set log level"))?);
            }
            Self::Reset(ask) => {
                let levels = ask.socket.logger().await?.reset_log_level().await;
                ask.print(levels.map_err(refused("failed to reset log level"))?);
            }
        }
        Ok(())
    }
}

impl<S: Args> Ask<S> {
    fn print(&self, levels: LogLevels) {
        let LogLevels { current, launch } = levels;
        let text = format!("Logger Level : {current}\nLaunch Level : {launch}\n\n");
        self.output.print(text, || json!({"current_level": wire(current), "launch_level": wire(launch)}));
    }
}

/// The name as protobuf's JSON mapping writes it.
fn wire(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Panic => "PANIC",
        LogLevel::Fatal => "FATAL",
        LogLevel::Error => "ERROR",
        LogLevel::Warn => "WARN",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBUG",
        LogLevel::Trace => "TRACE",
    }
}
