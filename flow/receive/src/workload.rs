//! The source that the agent's Workload API feeds.

#[cfg(test)]
mod tests;

use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_wire::X509Context as X509Message;
use finial_wire::client::WorkloadClient;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::Status;

use crate::follow::{Feed, follow};
use crate::{Endpoint, ReceiveError, Source, SourceWriter, X509Context, connect};

impl Source {
    /// The identity that the agent at `endpoint` gives this process, kept current over one open stream.
    ///
    /// Returns at once; wait for [`ready`](Source::ready). When the agent refuses (no entry selects this process)
    /// the source stops serving, goes on asking, and recovers with the next full answer. When the agent cannot be
    /// reached the source serves what it holds until that expires. Must be called inside a Tokio runtime; ends
    /// with `tasks`, or with the last clone of the source.
    pub fn from_workload_api(endpoint: &Endpoint, clock: &Clock, tasks: &Tasks) -> Source {
        let (writer, source) = Source::channel(clock);
        let (abandoned, drain) = (writer.abandoned(), tasks.drain());
        let feed = X509Feed { client: WorkloadClient::new(connect(endpoint)), writer };
        let following = follow(feed, clock.clone());
        tasks.spawn("x509 source", async move {
            tokio::select! {
                () = following => {}
                () = drain.requested() => {}
                () = abandoned => {}
            }
        });
        source
    }
}

impl X509Context {
    /// What the agent at `endpoint` gives this process at the moment, asked once and for at most `limit`: for programs
    /// that look and do not serve. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`ReceiveError::Refused`] when the agent cannot be reached or has no identity for this process,
    /// [`ReceiveError::Unanswered`], and those of [`X509Context::new`].
    pub async fn fetch(
        endpoint: &Endpoint,
        limit: Duration,
        clock: &Clock,
    ) -> Result<X509Context, ReceiveError> {
        let rpc = X509Feed::RPC;
        let client = WorkloadClient::new(connect(endpoint));
        let first = async { client.x509_svids().await?.next().await.unwrap_or_else(|| Err(ended())) };
        let answer =
            clock.timeout(limit, first).await.map_err(|_| ReceiveError::Unanswered { rpc, limit })?;
        let refused = |status| ReceiveError::Refused { rpc, status: Box::new(status) };
        let X509Message { credentials, bundles, .. } = answer.map_err(refused)?;
        X509Context::new(credentials, bundles, clock.now())
    }
}

fn ended() -> Status {
    Status::unavailable("the stream was closed")
}

struct X509Feed {
    client: WorkloadClient,
    writer: SourceWriter,
}

#[async_trait::async_trait]
impl Feed for X509Feed {
    type Message = X509Message;
    const RPC: &'static str = "FetchX509SVID";

    async fn open(&self) -> Result<BoxStream<'static, Result<X509Message, Status>>, Status> {
        self.client.x509_svids().await
    }

    fn take(&mut self, message: X509Message) {
        if let Err(refusal) = self.writer.publish(message.credentials, message.bundles) {
            let cause = std::error::Error::source(&refusal);
            tracing::warn!(%refusal, cause, "refused an identity; the one before goes on");
        }
    }

    fn withdraw(&mut self, reason: String) {
        self.writer.withdraw(reason);
    }
}
