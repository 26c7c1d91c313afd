//! Takes away what has ended: entries and join tokens past their time.

pub(crate) mod nodes;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::metrics::Calls;
use finial_daemon::{Drain, Tasks};
use finial_identity::EntryId;
use finial_store::StoreError;

use crate::core::Core;

/// SPIRE's pace.
const EVERY: Duration = Duration::from_mins(5);

/// Looks every five minutes until the tasks drain. What has ended counts for nothing before it is deleted, too.
pub(crate) fn start(core: Arc<Core>, calls: Calls, tasks: &Tasks) {
    tasks.spawn("pruning", run(core, calls, tasks.drain()));
}

async fn run(core: Arc<Core>, calls: Calls, drain: Drain) {
    loop {
        tokio::select! {
            () = drain.requested() => return,
            () = core.clock.sleep(EVERY) => {}
        }
        if let Err(error) = calls.timed(&core.clock, prune(&core)).await {
            tracing::warn!(error = &error as &dyn Error, "what has ended could not be deleted, trying later");
        }
    }
}

async fn prune(core: &Core) -> Result<(), StoreError> {
    let now = core.clock.now();
    let tokens = core.store.prune_tokens(now).await?;
    let snapshot = core.index.snapshot();
    let ended: Vec<EntryId> =
        snapshot.entries().filter(|entry| entry.is_expired(now)).map(|entry| entry.id.clone()).collect();
    for id in &ended {
        match core.store.delete_entry(id).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if tokens > 0 || !ended.is_empty() {
        tracing::info!(tokens, entries = ended.len(), "what had ended was deleted");
    }
    Ok(())
}
