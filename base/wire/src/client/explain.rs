//! Asks finial.agent.v1.Explain.

use tonic::Status;
use tonic::transport::Channel;

use crate::convert::explanation as convert;
use crate::error::WireError;
use crate::proto::changes::ExplainProcessRequest;
use crate::proto::changes::explain_client::ExplainClient as Stub;
use crate::{Explanation, MAX_ANSWER_BYTES};

/// Asks an agent's admin socket why a process has the identities that it has, or none.
///
/// # Errors
/// NotFound when there is no such process; the agent's refusal.
pub async fn explain(channel: Channel, pid: i32) -> Result<Explanation, Status> {
    let mut stub = Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let answer = stub.explain_process(ExplainProcessRequest { pid }).await?.into_inner();
    convert::explanation(answer).map_err(WireError::bad_answer)
}
