//! The server over gRPC, through a channel that is replaced when the agent's own SVID is.

use std::future::Future;

use async_trait::async_trait;
use finial_identity::{Audience, Bundle, EntryId, JwtSvid, TrustDomain, X509Svid};
use finial_wire::client::{BundleClient, ChangesClient, EntryClient, SvidClient, SyncedEntries};
use futures_util::StreamExt;
use tokio::sync::watch;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::upstream::{Known, Revisions, Upstream};

/// The agent's server. Each call takes the newest channel; the stream of revisions ends when there is a newer one,
/// so that it is opened again with the agent's newer SVID.
#[derive(Debug, Clone)]
pub struct ServerUpstream {
    channel: watch::Receiver<Channel>,
}

impl ServerUpstream {
    /// The server at the other end of whatever channel the agent's own identity keeps here.
    pub fn new(channel: watch::Receiver<Channel>) -> Self {
        Self { channel }
    }

    fn channel(&self) -> Channel {
        self.channel.borrow().clone()
    }
}

#[async_trait]
impl Upstream for ServerUpstream {
    async fn sync_entries(&self, known: &Known) -> Result<SyncedEntries, Status> {
        let sync = || async { EntryClient::new(self.channel()).sync_authorized_entries(known).await };
        sent(sync).await
    }

    async fn new_x509_svids(
        &self,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        sent(|| async { SvidClient::new(self.channel()).new_x509_svids(requests.clone()).await }).await
    }

    async fn new_jwt_svid(&self, entry: &EntryId, audience: &Audience) -> Result<JwtSvid, Status> {
        sent(|| async { SvidClient::new(self.channel()).new_jwt_svid(entry, audience).await }).await
    }

    async fn bundle(&self) -> Result<Bundle, Status> {
        sent(|| async { BundleClient::new(self.channel()).bundle().await }).await
    }

    async fn federated_bundle(&self, trust_domain: &TrustDomain) -> Result<Bundle, Status> {
        let fetch = || async { BundleClient::new(self.channel()).federated_bundle(trust_domain).await };
        sent(fetch).await
    }

    async fn revisions(&self) -> Result<Revisions, Status> {
        let mut channel = self.channel.clone();
        let newest = channel.borrow_and_update().clone();
        let revisions = ChangesClient::new(newest).watch(0).await?;
        let is_replaced = async move {
            if channel.changed().await.is_err() {
                // Nobody is left to replace it.
                std::future::pending::<()>().await;
            }
        };
        Ok(revisions.take_until(Box::pin(is_replaced)).boxed())
    }
}

/// Makes a call; and once more when its connection was closing, so that it never left: servers let connections age.
///
/// Each of our calls may be made twice.
async fn sent<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    match call().await {
        Err(status) if status.code() == Code::Cancelled => call().await,
        answer => answer,
    }
}

#[cfg(test)]
mod tests;
