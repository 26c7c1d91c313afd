//! The stream that tells an agent that something changed: only the newest revision, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_authorize::Permit;
use finial_daemon::{Clock, Drain, jitter};
use finial_identity::SpiffeId;
use finial_store::Snapshot;
use finial_wire::server::ChangesApi;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Extensions, Status};

/// The share by which lives are spread, so that agents that came together do not come back together.
const SPREAD: f64 = 0.1;

/// Serves the revision of the server's index (`finial.agent.v1.Changes`).
///
/// An agent that is slower than the changes misses revisions, never the newest one: there is no queue to fill.
#[derive(Debug, Clone)]
pub struct Changes {
    index: watch::Receiver<Arc<Snapshot>>,
    life: Duration,
    clock: Clock,
    drain: Drain,
}

impl Changes {
    /// Follows the index. Streams end when the drain is requested, and after a life of this length (± 10 %), since an
    /// open one would hold its agent on a connection that is to go. The next one begins with the newest revision, so
    /// that nothing is missed in between.
    ///
    /// The [`Permit`] among a request's extensions names the agent whose stream ends when it is banned or deleted.
    pub fn new(index: watch::Receiver<Arc<Snapshot>>, life: Duration, clock: &Clock, drain: Drain) -> Self {
        Self { index, life, clock: clock.clone(), drain }
    }
}

#[async_trait]
impl ChangesApi for Changes {
    async fn watch(&self, ctx: &Extensions) -> Result<BoxStream<'static, Result<u64, Status>>, Status> {
        let (drain, clock, life) = (self.drain.clone(), self.clock.clone(), jitter(self.life, SPREAD));
        let end = async move {
            tokio::select! {
                () = drain.requested() => {}
                () = clock.sleep(life) => {}
            }
        };
        let agent = ctx.get::<Permit>().and_then(Permit::node).map(|node| node.id.clone());
        Ok(revisions(self.index.clone(), agent).take_until(Box::pin(end)).boxed())
    }
}

/// The revision at once, then each time it has grown; ends when the agent that reads it is an agent no more, so that
/// it asks again and is told why.
fn revisions(
    mut index: watch::Receiver<Arc<Snapshot>>,
    agent: Option<SpiffeId>,
) -> impl Stream<Item = Result<u64, Status>> {
    index.mark_changed();
    stream::unfold((index, agent, None), |(mut index, agent, told)| async move {
        loop {
            index.changed().await.ok()?;
            let snapshot = Arc::clone(&index.borrow_and_update());
            if !agent.as_ref().is_none_or(|agent| is_served(&snapshot, agent)) {
                return None;
            }
            let revision = snapshot.revision();
            if told != Some(revision) {
                return Some((Ok(revision), (index, agent, Some(revision))));
            }
        }
    })
}

fn is_served(snapshot: &Snapshot, agent: &SpiffeId) -> bool {
    snapshot.node(agent).is_some_and(|node| !node.is_banned())
}

#[cfg(test)]
mod tests;
