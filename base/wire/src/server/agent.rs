//! spire.api.server.agent.v1.Agent: agents join, renew, and are managed.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Node, SpiffeId, X509Svid};
use futures_util::stream::BoxStream;
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::{Dialogue, GrpcService, attest, split};
use crate::convert::batch::no_longer_than;
use crate::convert::{agent as convert, count, page};
use crate::proto::agent::agent_server::{Agent, AgentServer};
use crate::proto::{agent as proto, types};
use crate::{
    AgentFilter, AttestationResult, JoinToken, JoinTokenRequest, MAX_ATTESTATION_BYTES, MAX_VERSION_BYTES,
    NodeEvidence, Page, Paged,
};

/// What a server does for agents, and for those who manage them.
#[async_trait]
pub trait AgentApi: Send + Sync + 'static {
    /// Judges evidence, asking back where its kind needs that. The CSR gives only a public key.
    async fn attest_agent(
        &self,
        ctx: &Extensions,
        evidence: NodeEvidence,
        csr: Vec<u8>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestationResult, Status>;

    /// Gives the calling agent its next SVID.
    async fn renew_agent(&self, ctx: &Extensions, csr: Vec<u8>) -> Result<X509Svid, Status>;

    /// Notes what the calling agent says of itself.
    async fn post_status(&self, ctx: &Extensions, agent_version: String) -> Result<(), Status>;

    /// How many agents there are.
    async fn count_agents(&self, ctx: &Extensions, filter: AgentFilter) -> Result<u64, Status>;

    /// The agents, sorted by ID.
    async fn list_agents(
        &self,
        ctx: &Extensions,
        filter: AgentFilter,
        page: Page<SpiffeId>,
    ) -> Result<Paged<Node>, Status>;

    /// One agent; NotFound when there is none.
    async fn agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<Node, Status>;

    /// Forgets an agent, which may attest again; NotFound when there is none.
    async fn delete_agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<(), Status>;

    /// Shuts an agent out until it is deleted; NotFound when there is none.
    async fn ban_agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<(), Status>;

    /// Makes a join token; AlreadyExists when the one asked for is taken.
    async fn create_join_token(
        &self,
        ctx: &Extensions,
        request: JoinTokenRequest,
    ) -> Result<JoinToken, Status>;
}

/// Puts an [`AgentApi`] on the wire.
pub fn agent_service(api: Arc<dyn AgentApi>) -> impl GrpcService {
    AgentServer::new(Adapter(api)).max_decoding_message_size(MAX_ATTESTATION_BYTES)
}

struct Adapter(Arc<dyn AgentApi>);

#[async_trait]
impl Agent for Adapter {
    type AttestAgentStream = BoxStream<'static, Result<proto::AttestAgentResponse, Status>>;

    async fn count_agents(
        &self,
        request: Request<proto::CountAgentsRequest>,
    ) -> Result<Response<proto::CountAgentsResponse>, Status> {
        let (ctx, request) = split(request);
        let filter = convert::count_filter(request.filter)?;
        let agents = self.0.count_agents(&ctx, filter).await?;
        Ok(Response::new(proto::CountAgentsResponse { count: count(agents) }))
    }

    async fn list_agents(
        &self,
        request: Request<proto::ListAgentsRequest>,
    ) -> Result<Response<proto::ListAgentsResponse>, Status> {
        let (ctx, request) = split(request);
        let filter = convert::list_filter(request.filter)?;
        let page = page::agents(request.page_size, &request.page_token)?;
        let agents = self.0.list_agents(&ctx, filter, page).await?;
        Ok(Response::new(proto::ListAgentsResponse {
            next_page_token: page::next_token(&agents, |node| node.id.as_str()),
            agents: agents.items.iter().map(|node| convert::to_agent(node, request.output_mask)).collect(),
        }))
    }

    async fn get_agent(
        &self,
        request: Request<proto::GetAgentRequest>,
    ) -> Result<Response<types::Agent>, Status> {
        let (ctx, request) = split(request);
        let node = self.0.agent(&ctx, convert::agent_id(request.id)?).await?;
        Ok(Response::new(convert::to_agent(&node, request.output_mask)))
    }

    async fn delete_agent(
        &self,
        request: Request<proto::DeleteAgentRequest>,
    ) -> Result<Response<()>, Status> {
        let (ctx, request) = split(request);
        self.0.delete_agent(&ctx, convert::agent_id(request.id)?).await?;
        Ok(Response::new(()))
    }

    async fn ban_agent(&self, request: Request<proto::BanAgentRequest>) -> Result<Response<()>, Status> {
        let (ctx, request) = split(request);
        self.0.ban_agent(&ctx, convert::agent_id(request.id)?).await?;
        Ok(Response::new(()))
    }

    async fn attest_agent(
        &self,
        request: Request<Streaming<proto::AttestAgentRequest>>,
    ) -> Result<Response<Self::AttestAgentStream>, Status> {
        let (ctx, requests) = split(request);
        Ok(Response::new(attest::serve(Arc::clone(&self.0), ctx, requests)))
    }

    async fn renew_agent(
        &self,
        request: Request<proto::RenewAgentRequest>,
    ) -> Result<Response<proto::RenewAgentResponse>, Status> {
        let (ctx, request) = split(request);
        let csr = convert::csr(request.params).map_err(crate::error::WireError::refusal)?;
        let svid = self.0.renew_agent(&ctx, csr).await?;
        Ok(Response::new(proto::RenewAgentResponse { svid: Some(crate::convert::svid::to_x509_svid(&svid)) }))
    }

    async fn create_join_token(
        &self,
        request: Request<proto::CreateJoinTokenRequest>,
    ) -> Result<Response<types::JoinToken>, Status> {
        let (ctx, request) = split(request);
        let token = self.0.create_join_token(&ctx, convert::join_token_request(request)?).await?;
        Ok(Response::new(convert::to_join_token(token)))
    }

    async fn post_status(
        &self,
        request: Request<proto::PostStatusRequest>,
    ) -> Result<Response<proto::PostStatusResponse>, Status> {
        let (ctx, request) = split(request);
        no_longer_than(MAX_VERSION_BYTES, "agent version", request.agent_version.len())
            .map_err(crate::error::WireError::refusal)?;
        self.0.post_status(&ctx, request.agent_version).await?;
        Ok(Response::new(proto::PostStatusResponse {}))
    }
}

#[cfg(test)]
mod tests;
