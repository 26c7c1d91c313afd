//! Asks the Debug services.

use tonic::Status;
use tonic::transport::Channel;

use crate::convert::program_info as convert;
use crate::error::WireError;
use crate::proto::{agent_debug, server_debug};
use crate::{AgentInfo, ServerInfo};

/// Asks an agent's admin socket how the agent is.
///
/// # Errors
/// The agent's refusal.
pub async fn agent_info(channel: Channel) -> Result<AgentInfo, Status> {
    let mut stub = agent_debug::debug_client::DebugClient::new(channel);
    let answer = stub.get_info(agent_debug::GetInfoRequest {}).await?.into_inner();
    convert::agent_info(answer).map_err(WireError::bad_answer)
}

/// Asks a server's own socket how the server is.
///
/// # Errors
/// The server's refusal.
pub async fn server_info(channel: Channel) -> Result<ServerInfo, Status> {
    let mut stub = server_debug::debug_client::DebugClient::new(channel);
    let answer = stub.get_info(server_debug::GetInfoRequest {}).await?.into_inner();
    convert::server_info(answer).map_err(WireError::bad_answer)
}
