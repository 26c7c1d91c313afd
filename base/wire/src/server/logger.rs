//! The Logger services of agent and server: how much is logged, changed while the program runs.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, split};
use crate::convert::log_level as convert;
use crate::proto::agent_logger::logger_server as agent;
use crate::proto::server_logger::logger_server as server;
use crate::proto::types::Logger;
use crate::proto::{agent_logger, server_logger};
use crate::{LogLevel, LogLevels, MAX_WORKLOAD_REQUEST_BYTES};

/// What a program does with its own log. The same for agent and server.
#[async_trait]
pub trait LoggerApi: Send + Sync + 'static {
    /// How it logs.
    async fn log_levels(&self, ctx: &Extensions) -> Result<LogLevels, Status>;

    /// Logs at this level from now on, and tells how it logs then.
    async fn set_log_level(&self, ctx: &Extensions, level: LogLevel) -> Result<LogLevels, Status>;

    /// Logs as it did when it was launched, and tells how that is.
    async fn reset_log_level(&self, ctx: &Extensions) -> Result<LogLevels, Status>;
}

/// Puts a [`LoggerApi`] on the wire: spire.api.agent.logger.v1.Logger.
pub fn agent_logger_service(api: Arc<dyn LoggerApi>) -> impl GrpcService {
    agent::LoggerServer::new(Adapter(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

/// Puts a [`LoggerApi`] on the wire: spire.api.server.logger.v1.Logger.
pub fn server_logger_service(api: Arc<dyn LoggerApi>) -> impl GrpcService {
    server::LoggerServer::new(Adapter(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

struct Adapter(Arc<dyn LoggerApi>);

impl Adapter {
    async fn get<T>(&self, request: Request<T>) -> Result<Response<Logger>, Status> {
        let levels = self.0.log_levels(&split(request).0).await?;
        Ok(Response::new(convert::to_logger(levels)))
    }

    async fn set<T>(&self, request: Request<T>, level: fn(T) -> i32) -> Result<Response<Logger>, Status> {
        let (ctx, request) = split(request);
        let levels = self.0.set_log_level(&ctx, convert::requested(level(request))?).await?;
        Ok(Response::new(convert::to_logger(levels)))
    }

    async fn reset<T>(&self, request: Request<T>) -> Result<Response<Logger>, Status> {
        let levels = self.0.reset_log_level(&split(request).0).await?;
        Ok(Response::new(convert::to_logger(levels)))
    }
}

#[async_trait]
impl agent::Logger for Adapter {
    async fn get_logger(
        &self,
        request: Request<agent_logger::GetLoggerRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.get(request).await
    }

    async fn set_log_level(
        &self,
        request: Request<agent_logger::SetLogLevelRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.set(request, |request| request.new_level).await
    }

    async fn reset_log_level(
        &self,
        request: Request<agent_logger::ResetLogLevelRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.reset(request).await
    }
}

#[async_trait]
impl server::Logger for Adapter {
    async fn get_logger(
        &self,
        request: Request<server_logger::GetLoggerRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.get(request).await
    }

    async fn set_log_level(
        &self,
        request: Request<server_logger::SetLogLevelRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.set(request, |request| request.new_level).await
    }

    async fn reset_log_level(
        &self,
        request: Request<server_logger::ResetLogLevelRequest>,
    ) -> Result<Response<Logger>, Status> {
        self.reset(request).await
    }
}

#[cfg(test)]
mod tests;
