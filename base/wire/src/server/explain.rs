//! finial.agent.v1.Explain: why a process has the identities that it has, or none.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, split};
use crate::convert::explanation as convert;
use crate::proto::changes::explain_server::{Explain, ExplainServer};
use crate::proto::changes::{ExplainProcessRequest, ExplainProcessResponse};
use crate::{Explanation, MAX_WORKLOAD_REQUEST_BYTES};

/// What an agent explains.
#[async_trait]
pub trait ExplainApi: Send + Sync + 'static {
    /// Why this process has the identities that it has, or none; NotFound when there is no such process. `pid` is
    /// positive.
    async fn explain(&self, ctx: &Extensions, pid: i32) -> Result<Explanation, Status>;
}

/// Puts an [`ExplainApi`] on the wire.
pub fn explain_service(api: Arc<dyn ExplainApi>) -> impl GrpcService {
    ExplainServer::new(Adapter(api)).max_decoding_message_size(MAX_WORKLOAD_REQUEST_BYTES)
}

struct Adapter(Arc<dyn ExplainApi>);

#[async_trait]
impl Explain for Adapter {
    async fn explain_process(
        &self,
        request: Request<ExplainProcessRequest>,
    ) -> Result<Response<ExplainProcessResponse>, Status> {
        let (ctx, request) = split(request);
        if request.pid < 1 {
            return Err(Status::invalid_argument(format!(
                "{} is no process ID: give one above 0",
                request.pid
            )));
        }
        let explanation = self.0.explain(&ctx, request.pid).await?;
        Ok(Response::new(convert::to_explanation(&explanation)))
    }
}

#[cfg(test)]
mod tests;
