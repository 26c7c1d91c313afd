//! The stream that tells an agent that something changed for it: only the newest revision, and nothing else.

mod listeners;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_authorize::Permit;
use finial_daemon::{Clock, Drain, Tasks, jitter};
use finial_identity::SpiffeId;
use finial_store::Snapshot;
use finial_wire::server::ChangesApi;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tonic::{Extensions, Status};

use listeners::{Listener, Listeners, is_served};

/// The share by which lives are spread, so that agents that came together do not come back together.
const SPREAD: f64 = 0.1;

/// Serves the revision of the server's index (`finial.agent.v1.Changes`), to each agent when what it may serve has
/// changed: in a fleet an entry wakes the agents it is for, not all of them.
///
/// An agent that is slower than the changes misses revisions, never the newest one: there is no queue to fill.
#[derive(Debug, Clone)]
pub struct Changes {
    index: watch::Receiver<Arc<Snapshot>>,
    listeners: Listeners,
    life: Duration,
    clock: Clock,
    drain: Drain,
}

impl Changes {
    /// Follows the index in a task of its own. Streams end when the tasks drain, and after a life of this length
    /// (± 10 %), since an open one would hold its agent on a connection that is to go. The next one begins with the
    /// newest revision, so that nothing is missed in between.
    ///
    /// The [`Permit`] among a request's extensions names the agent; its stream ends when it is banned or deleted. Who is
    /// no agent gets PermissionDenied.
    pub fn new(index: watch::Receiver<Arc<Snapshot>>, life: Duration, clock: &Clock, tasks: &Tasks) -> Self {
        let listeners = Listeners::default();
        let (following, drain) = (follow(index.clone(), listeners.clone()), tasks.drain());
        tasks.spawn("changes", async move {
            tokio::select! {
                () = drain.requested() => {}
                () = following => {}
            }
        });
        Self { index, listeners, life, clock: clock.clone(), drain: tasks.drain() }
    }

    fn revisions(&self, agent: &SpiffeId) -> BoxStream<'static, Result<u64, Status>> {
        // It listens before it looks: a change is in what it sees, or is told.
        let listener = self.listeners.listen(agent.clone());
        let snapshot = Arc::clone(&self.index.borrow());
        if !is_served(&snapshot, agent) {
            return stream::empty().boxed();
        }
        let (drain, clock, life) = (self.drain.clone(), self.clock.clone(), jitter(self.life, SPREAD));
        let end = async move {
            tokio::select! {
                () = drain.requested() => {}
                () = clock.sleep(life) => {}
            }
        };
        newest_first(snapshot.revision(), listener).map(Ok).take_until(Box::pin(end)).boxed()
    }
}

#[async_trait]
impl ChangesApi for Changes {
    async fn watch(&self, ctx: &Extensions) -> Result<BoxStream<'static, Result<u64, Status>>, Status> {
        match ctx.get::<Permit>().and_then(Permit::node) {
            Some(agent) => Ok(self.revisions(&agent.id)),
            None => Err(Status::permission_denied("changes are told to agents only")),
        }
    }
}

/// Tells the listeners of each newer snapshot.
async fn follow(mut index: watch::Receiver<Arc<Snapshot>>, listeners: Listeners) {
    let mut told = Arc::clone(&index.borrow_and_update());
    while index.changed().await.is_ok() {
        let newest = Arc::clone(&index.borrow_and_update());
        listeners.tell(&told, &newest);
        told = newest;
    }
}

/// A revision at once, then each newer one that the listener hears of.
fn newest_first(first: u64, listener: Listener) -> impl Stream<Item = u64> {
    let heard = stream::unfold(listener, |mut listener| async { Some((listener.next().await?, listener)) });
    stream::once(std::future::ready(first))
        .chain(heard.filter(move |heard| std::future::ready(*heard > first)))
}
