//! Asks the Logger services of agent and server.

use tonic::Status;
use tonic::transport::Channel;

use crate::convert::log_level as convert;
use crate::error::WireError;
use crate::proto::types::Logger;
use crate::proto::{agent_logger, server_logger};
use crate::{LogLevel, LogLevels};

/// Asks a program about its log.
#[derive(Clone, Debug)]
pub struct LoggerClient(Stub);

#[derive(Clone, Debug)]
enum Stub {
    Agent(agent_logger::logger_client::LoggerClient<Channel>),
    Server(server_logger::logger_client::LoggerClient<Channel>),
}

impl LoggerClient {
    /// Asks an agent, at its admin socket.
    pub fn agent(channel: Channel) -> Self {
        Self(Stub::Agent(agent_logger::logger_client::LoggerClient::new(channel)))
    }

    /// Asks a server, at its own socket.
    pub fn server(channel: Channel) -> Self {
        Self(Stub::Server(server_logger::logger_client::LoggerClient::new(channel)))
    }

    /// How it logs.
    ///
    /// # Errors
    /// The program's refusal.
    pub async fn log_levels(&self) -> Result<LogLevels, Status> {
        levels(match self.0.clone() {
            Stub::Agent(mut stub) => stub.get_logger(agent_logger::GetLoggerRequest {}).await,
            Stub::Server(mut stub) => stub.get_logger(server_logger::GetLoggerRequest {}).await,
        })
    }

    /// Has it log at this level.
    ///
    /// # Errors
    /// The program's refusal.
    pub async fn set_log_level(&self, level: LogLevel) -> Result<LogLevels, Status> {
        let new_level = convert::to_log_level(level).into();
        levels(match self.0.clone() {
            Stub::Agent(mut stub) => stub.set_log_level(agent_logger::SetLogLevelRequest { new_level }).await,
            Stub::Server(mut stub) => {
                stub.set_log_level(server_logger::SetLogLevelRequest { new_level }).await
            }
        })
    }

    /// Has it log as when it was launched.
    ///
    /// # Errors
    /// The program's refusal.
    pub async fn reset_log_level(&self) -> Result<LogLevels, Status> {
        levels(match self.0.clone() {
            Stub::Agent(mut stub) => stub.reset_log_level(agent_logger::ResetLogLevelRequest {}).await,
            Stub::Server(mut stub) => stub.reset_log_level(server_logger::ResetLogLevelRequest {}).await,
        })
    }
}

fn levels(answer: Result<tonic::Response<Logger>, Status>) -> Result<LogLevels, Status> {
    convert::log_levels(answer?.into_inner()).map_err(WireError::bad_answer)
}
