//! AttestAgent: parameters, then challenges and responses, then the result.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;
use tonic::{Extensions, Status, Streaming};

use super::AgentApi;
use crate::convert::agent as convert;
use crate::convert::svid::to_x509_svid;
use crate::proto::agent::{
    AttestAgentRequest, AttestAgentResponse,
    attest_agent_request::Step as Asked,
    attest_agent_response::{Result as Attested, Step as Answered},
};

/// Asks back during attestation.
#[async_trait]
pub trait Dialogue: Send {
    /// Sends a challenge and waits for the response, both as the attestor defines them.
    ///
    /// # Errors
    /// InvalidArgument when the agent answers with something else, or not at all.
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status>;
}

type Answer = Result<AttestAgentResponse, Status>;

/// Answers one call: the challenges as they come, and the result last. Dropping the stream ends the attestation.
pub(super) fn serve(
    api: Arc<dyn AgentApi>,
    ctx: Extensions,
    requests: Streaming<AttestAgentRequest>,
) -> BoxStream<'static, Answer> {
    // One challenge at a time: the next one waits for the response to this one.
    let (sender, challenges) = mpsc::channel(1);
    let attestation = Some(attest(api, ctx, requests, sender).boxed());
    let exchange = Exchange { attestation, challenges, outcome: None };
    stream::unfold(exchange, |mut exchange| async move {
        exchange.next_answer().await.map(|answer| (answer, exchange))
    })
    .boxed()
}

struct Exchange {
    attestation: Option<BoxFuture<'static, Answer>>,
    challenges: mpsc::Receiver<AttestAgentResponse>,
    outcome: Option<Answer>,
}

impl Exchange {
    async fn next_answer(&mut self) -> Option<Answer> {
        if let Some(attestation) = &mut self.attestation {
            let outcome = tokio::select! {
                biased;
                Some(challenge) = self.challenges.recv() => return Some(Ok(challenge)),
                outcome = attestation => outcome,
            };
            self.attestation = None;
            self.outcome = Some(outcome);
        }
        // A challenge goes out before what came of it, even if the agent did not wait for it.
        match self.challenges.try_recv() {
            Ok(challenge) => Some(Ok(challenge)),
            Err(_) => self.outcome.take(),
        }
    }
}

async fn attest(
    api: Arc<dyn AgentApi>,
    ctx: Extensions,
    mut requests: Streaming<AttestAgentRequest>,
    challenges: mpsc::Sender<AttestAgentResponse>,
) -> Answer {
    let (evidence, csr) = convert::attestation(requests.message().await?)?;
    let mut dialogue = Conversation { requests, challenges };
    let result = api.attest_agent(&ctx, evidence, csr, &mut dialogue).await?;
    let step = Attested { svid: Some(to_x509_svid(&result.svid)), reattestable: result.can_reattest };
    Ok(AttestAgentResponse { step: Some(Answered::Result(step)) })
}

struct Conversation {
    requests: Streaming<AttestAgentRequest>,
    challenges: mpsc::Sender<AttestAgentResponse>,
}

#[async_trait]
impl Dialogue for Conversation {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        let challenge = AttestAgentResponse { step: Some(Answered::Challenge(challenge)) };
        self.challenges.send(challenge).await.map_err(|_| Status::cancelled("the agent is gone"))?;
        match self.requests.message().await?.and_then(|request| request.step) {
            Some(Asked::ChallengeResponse(response)) => Ok(response),
            Some(Asked::Params(_)) => {
                Err(Status::invalid_argument("expected a challenge response, got parameters"))
            }
            None => Err(Status::invalid_argument("expected a challenge response, got nothing")),
        }
    }
}
