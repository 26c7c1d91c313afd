//! Asks finial.agent.v1.Changes.

use futures_util::stream::{BoxStream, StreamExt};
use tonic::Status;
use tonic::transport::Channel;

use super::until_error;
use crate::proto::changes::WatchRequest;
use crate::proto::changes::changes_client::ChangesClient as Stub;

/// Hears of a server's changes.
#[derive(Clone, Debug)]
pub struct ChangesClient(Stub<Channel>);

impl ChangesClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel))
    }

    /// Each revision newer than the known one (0: any), as it comes; those in between may be left out.
    ///
    /// # Errors
    /// Unimplemented from a server that does not push changes, such as SPIRE's; the server's refusal.
    pub async fn watch(&self, known: u64) -> Result<BoxStream<'static, Result<u64, Status>>, Status> {
        let request = WatchRequest { known_revision: known };
        let answers = self.0.clone().watch(request).await?.into_inner();
        Ok(until_error(answers).map(|answer| answer.map(|answer| answer.revision)).boxed())
    }
}
