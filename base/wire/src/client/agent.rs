//! Asks spire.api.server.agent.v1.Agent.

use finial_identity::{Node, SpiffeId, X509Svid};
use tonic::Status;
use tonic::transport::Channel;

use super::{PAGE, Responder, attest, next_page};
use crate::convert::{agent as convert, id, svid};
use crate::error::WireError;
use crate::proto::agent as proto;
use crate::proto::agent::agent_client::AgentClient as Stub;
use crate::{AgentFilter, AttestationResult, JoinToken, JoinTokenRequest, MAX_ANSWER_BYTES, NodeEvidence};

/// Asks a server about agents, or as one.
#[derive(Clone, Debug)]
pub struct AgentClient(Stub<Channel>);

impl AgentClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// Shows evidence and answers the challenges that come of it.
    ///
    /// # Errors
    /// The server's refusal; see [`agent_denial`](crate::agent_denial). The responder's own error ends the call.
    pub async fn attest_agent(
        &self,
        evidence: NodeEvidence,
        csr: Vec<u8>,
        responder: &mut dyn Responder,
    ) -> Result<AttestationResult, Status> {
        attest::ask(self.0.clone(), convert::to_params(evidence, csr), responder).await
    }

    /// The next SVID of the agent that calls.
    ///
    /// # Errors
    /// The server's refusal; see [`agent_denial`](crate::agent_denial).
    pub async fn renew_agent(&self, csr: Vec<u8>) -> Result<X509Svid, Status> {
        let request = proto::RenewAgentRequest { params: Some(convert::to_csr(csr)) };
        let answer = self.0.clone().renew_agent(request).await?.into_inner();
        svid::x509_svid(answer.svid).map_err(WireError::bad_answer)
    }

    /// Tells the server about the agent that calls; at most 255 bytes.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn post_status(&self, agent_version: impl Into<String>) -> Result<(), Status> {
        let agent_version = agent_version.into();
        let request = proto::PostStatusRequest { agent_version, current_bundle_serial: 0 };
        self.0.clone().post_status(request).await?;
        Ok(())
    }

    /// How many agents there are.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn count_agents(&self, filter: AgentFilter) -> Result<u64, Status> {
        let request = proto::CountAgentsRequest { filter: Some(convert::to_count_filter(filter)) };
        let answer = self.0.clone().count_agents(request).await?.into_inner();
        Ok(u64::try_from(answer.count).unwrap_or(0))
    }

    /// All the agents, fetched page by page.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn list_agents(&self, filter: AgentFilter) -> Result<Vec<Node>, Status> {
        let filter = Some(convert::to_list_filter(filter));
        let mut agents = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListAgentsRequest {
                filter: filter.clone(),
                output_mask: None,
                page_size: PAGE,
                page_token: page_token.clone(),
            };
            let page = self.0.clone().list_agents(request).await?.into_inner();
            for agent in page.agents {
                agents.push(convert::agent(agent).map_err(WireError::bad_answer)?);
            }
            match next_page(&page_token, page.next_page_token, agents.len())? {
                Some(next) => page_token = next,
                None => return Ok(agents),
            }
        }
    }

    /// One agent.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn agent(&self, id: &SpiffeId) -> Result<Node, Status> {
        let request = proto::GetAgentRequest { id: Some(id::to_spiffe_id(id)), output_mask: None };
        let answer = self.0.clone().get_agent(request).await?.into_inner();
        convert::agent(answer).map_err(WireError::bad_answer)
    }

    /// Forgets an agent, which may attest again.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn delete_agent(&self, id: &SpiffeId) -> Result<(), Status> {
        let request = proto::DeleteAgentRequest { id: Some(id::to_spiffe_id(id)) };
        self.0.clone().delete_agent(request).await?;
        Ok(())
    }

    /// Shuts an agent out until it is deleted.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn ban_agent(&self, id: &SpiffeId) -> Result<(), Status> {
        let request = proto::BanAgentRequest { id: Some(id::to_spiffe_id(id)) };
        self.0.clone().ban_agent(request).await?;
        Ok(())
    }

    /// Makes a join token.
    ///
    /// # Errors
    /// AlreadyExists when the token asked for is taken, or the server's refusal.
    pub async fn create_join_token(&self, request: JoinTokenRequest) -> Result<JoinToken, Status> {
        let request = convert::to_join_token_request(request);
        let answer = self.0.clone().create_join_token(request).await?.into_inner();
        convert::join_token(answer).map_err(WireError::bad_answer)
    }
}
