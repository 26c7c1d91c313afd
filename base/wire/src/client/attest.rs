//! AttestAgent, the agent's side.

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use crate::AttestationResult;
use crate::convert::svid::x509_svid;
use crate::error::WireError;
use crate::proto::agent::{
    AttestAgentRequest, agent_client::AgentClient as Stub, attest_agent_request::Step as Asked,
    attest_agent_response::Step as Answered,
};

/// Most challenges a server may ask; none in use asks more than two.
const MAX_CHALLENGES: usize = 16;

/// Answers a server's challenges during attestation.
#[async_trait]
pub trait Responder: Send {
    /// The response to a challenge, both as the attestor defines them.
    ///
    /// # Errors
    /// Any status ends the attestation.
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status>;
}

/// One attestation from parameters to result.
pub(super) async fn ask(
    mut stub: Stub<Channel>,
    params: AttestAgentRequest,
    responder: &mut dyn Responder,
) -> Result<AttestationResult, Status> {
    let gone = || Status::unavailable("the server ended the attestation without a result");
    // One request at a time: the next one waits for a challenge.
    let (requests, outgoing) = mpsc::channel(1);
    requests.send(params).await.map_err(|_| gone())?;
    let mut answers = stub.attest_agent(ReceiverStream::new(outgoing)).await?.into_inner();
    for _ in 0..=MAX_CHALLENGES {
        match answers.message().await?.ok_or_else(gone)?.step {
            Some(Answered::Result(result)) => {
                let svid = x509_svid(result.svid).map_err(WireError::bad_answer)?;
                return Ok(AttestationResult { svid, can_reattest: result.reattestable });
            }
            Some(Answered::Challenge(challenge)) => {
                let response = responder.respond(challenge).await?;
                let request = AttestAgentRequest { step: Some(Asked::ChallengeResponse(response)) };
                // When the server does not wait for it any more, what it says next is why.
                let _ = requests.send(request).await;
            }
            None => return Err(WireError::Missing("attestation step").bad_answer()),
        }
    }
    Err(WireError::TooMany { what: "challenges", count: MAX_CHALLENGES + 1, limit: MAX_CHALLENGES }
        .bad_answer())
}
