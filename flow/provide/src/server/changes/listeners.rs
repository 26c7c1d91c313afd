//! The agents that listen for changes, and what each of them was told last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finial_authorize::Concern;
use finial_identity::SpiffeId;
use finial_store::Snapshot;
use tokio::sync::watch;

/// Shared by the streams, which come and go, and the task that tells them. Never locked across an await.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    agents: Arc<Mutex<HashMap<SpiffeId, watch::Sender<u64>>>>,
}

/// One stream of an agent. Hears the newest revision that concerns the agent; nothing more once it is an agent no
/// longer.
#[derive(Debug)]
pub(super) struct Listener {
    agent: SpiffeId,
    revisions: watch::Receiver<u64>,
    listeners: Listeners,
}

impl Listeners {
    /// Hears of every change that concerns this agent and that comes into the index from now on.
    pub(super) fn listen(&self, agent: SpiffeId) -> Listener {
        let mut agents = self.agents();
        let sender = agents.entry(agent.clone()).or_insert_with(|| watch::Sender::new(0));
        Listener { agent, revisions: sender.subscribe(), listeners: self.clone() }
    }

    /// Tells the agents that the change between these snapshots concerns. Those that are agents no longer are let go.
    pub(super) fn tell(&self, earlier: &Arc<Snapshot>, later: &Arc<Snapshot>) {
        let mut agents = self.agents();
        match Concern::between(earlier, later) {
            Concern::Everyone => agents.retain(|agent, told| {
                told.send_replace(later.revision());
                is_served(later, agent)
            }),
            Concern::Agents(concerned) => {
                for id in concerned.ids() {
                    let Some(told) = agents.get(id) else { continue };
                    told.send_replace(later.revision());
                    if !is_served(later, id) {
                        agents.remove(id);
                    }
                }
                if !concerned.has_aliases() {
                    return;
                }
                for (agent, told) in agents.iter() {
                    if later.node(agent).is_some_and(|node| concerned.has_alias(node)) {
                        told.send_replace(later.revision());
                    }
                }
            }
        }
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<SpiffeId, watch::Sender<u64>>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// The next revision that concerns the agent; `None` when it is an agent no longer.
    pub(super) async fn next(&mut self) -> Option<u64> {
        self.revisions.changed().await.ok()?;
        Some(*self.revisions.borrow_and_update())
    }
}

impl Drop for Listener {
    /// The last stream of an agent to end takes the agent out.
    fn drop(&mut self) {
        let mut agents = self.listeners.agents();
        let was_let_go = self.revisions.has_changed().is_err();
        if !was_let_go && agents.get(&self.agent).is_some_and(|told| told.receiver_count() == 1) {
            agents.remove(&self.agent);
        }
    }
}

pub(super) fn is_served(snapshot: &Snapshot, agent: &SpiffeId) -> bool {
    snapshot.node(agent).is_some_and(|node| !node.is_banned())
}
