//! The Debug services: a program says how it is.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, split};
use crate::convert::program_info as convert;
use crate::proto::agent_debug::debug_server as agent;
use crate::proto::server_debug::debug_server as server;
use crate::proto::{agent_debug, server_debug};
use crate::{AgentInfo, MAX_WORKLOAD_REQUEST_BYTES, ServerInfo};

/// What an agent says of itself.
#[async_trait]
pub trait AgentDebugApi: Send + Sync + 'static {
    /// How it is now.
    async fn info(&self, ctx: &Extensions) -> Result<AgentInfo, Status>;
}

/// What a server says of itself.
#[async_trait]
pub trait ServerDebugApi: Send + Sync + 'static {
    /// How it is now.
    async fn info(&self, ctx: &Extensions) -> Result<ServerInfo, Status>;
}

/// Puts an [`AgentDebugApi`] on the wire: spire.agent.debug.v1.Debug.
pub fn agent_debug_service(api: Arc<dyn AgentDebugApi>) -> impl GrpcService {
    agent::DebugServer::new(Agent(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

/// Puts a [`ServerDebugApi`] on the wire: spire.api.server.debug.v1.Debug.
pub fn server_debug_service(api: Arc<dyn ServerDebugApi>) -> impl GrpcService {
    server::DebugServer::new(Server(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

struct Agent(Arc<dyn AgentDebugApi>);

struct Server(Arc<dyn ServerDebugApi>);

#[async_trait]
impl agent::Debug for Agent {
    async fn get_info(
        &self,
        request: Request<agent_debug::GetInfoRequest>,
    ) -> Result<Response<agent_debug::GetInfoResponse>, Status> {
        let info = self.0.info(&split(request).0).await?;
        Ok(Response::new(convert::to_agent_info(&info)))
    }
}

#[async_trait]
impl server::Debug for Server {
    async fn get_info(
        &self,
        request: Request<server_debug::GetInfoRequest>,
    ) -> Result<Response<server_debug::GetInfoResponse>, Status> {
        let info = self.0.info(&split(request).0).await?;
        Ok(Response::new(convert::to_server_info(&info)))
    }
}

#[cfg(test)]
mod tests;
