//! Takes away agents whose SVIDs expired long ago, if the operator wants that.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Drain, Tasks, jitter};
use finial_identity::{Node, SpiffeId};
use finial_store::StoreError;

use crate::NodePruning;
use crate::core::Core;

/// SPIRE's pace, ± a quarter.
const EVERY: Duration = Duration::from_hours(1);

/// Looks about every hour until the tasks drain.
pub(crate) fn start(core: Arc<Core>, rule: NodePruning, tasks: &Tasks) {
    tasks.spawn("node pruning", run(core, rule, tasks.drain()));
}

async fn run(core: Arc<Core>, rule: NodePruning, drain: Drain) {
    loop {
        tokio::select! {
            () = drain.requested() => return,
            () = core.clock.sleep(jitter(EVERY, 0.25)) => {}
        }
        match prune(&core, &rule).await {
            Ok(0) => {}
            Ok(agents) => tracing::info!(agents, "agents that expired long ago were deleted"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "expired agents could not be deleted, trying later"
                );
            }
        }
    }
}

/// Deletes those that the index shows and the primary still has so. How many there were.
async fn prune(core: &Core, rule: &NodePruning) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let snapshot = core.index.snapshot();
    let ended = snapshot.nodes().filter(|node| rule.ends(node, now)).map(|node| node.id.clone());
    let ended: Vec<SpiffeId> = ended.take(rule.batch_size).collect();
    let mut deleted = 0;
    for node in core.store.nodes(&ended).await?.iter().filter(|node| rule.ends(node, now)) {
        match core.store.delete_node(&node.id).await {
            Ok(_) => deleted += 1,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}

impl NodePruning {
    /// Whether an agent is to be deleted. Never one that is banned: it would be free to attest again.
    fn ends(&self, node: &Node, now: SystemTime) -> bool {
        let expires_at = node.new_expires_at.map_or(node.expires_at, |renewed| renewed.max(node.expires_at));
        let is_long_ago = expires_at.checked_add(self.expired_for).is_some_and(|end| end < now);
        is_long_ago && !node.is_banned() && (node.can_reattest || self.tofu)
    }
}
