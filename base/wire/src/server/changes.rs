//! finial.agent.v1.Changes: an agent learns that something changed, and then asks what.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future;
use futures_util::stream::{BoxStream, StreamExt};
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, split};
use crate::MAX_REQUEST_BYTES;
use crate::proto::changes::changes_server::{Changes, ChangesServer};
use crate::proto::changes::{WatchRequest, WatchResponse};

/// What a server tells of changes.
#[async_trait]
pub trait ChangesApi: Send + Sync + 'static {
    /// The current revision, and then each newer one; those in between may be left out.
    async fn watch(&self, ctx: &Extensions) -> Result<BoxStream<'static, Result<u64, Status>>, Status>;
}

/// Puts a [`ChangesApi`] on the wire. Only what is newer than what the agent was told or knows goes out.
pub fn changes_service(api: Arc<dyn ChangesApi>) -> impl GrpcService {
    ChangesServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn ChangesApi>);

#[async_trait]
impl Changes for Adapter {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (ctx, request) = split(request);
        let mut known = request.known_revision;
        let newer = self.0.watch(&ctx).await?.filter_map(move |revision| {
            future::ready(match revision {
                Ok(revision) if revision <= known => None,
                Ok(revision) => {
                    known = revision;
                    Some(Ok(WatchResponse { revision }))
                }
                Err(error) => Some(Err(error)),
            })
        });
        Ok(Response::new(newer.boxed()))
    }
}

#[cfg(test)]
mod tests;
