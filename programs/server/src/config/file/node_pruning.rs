//! Which agents are deleted that expired long ago.

use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};

use crate::NodePruning;

/// SPIRE's.
const BATCH_SIZE: usize = 1_000;

pub(super) fn read(server: &mut Block) -> Result<Option<NodePruning>, HclError> {
    let expired_for = server.take::<Duration>("prune_attested_nodes_expired_for")?;
    let tofu = server.take("prune_tofu_nodes")?.unwrap_or_default();
    let batch_size = server.take("prune_attested_nodes_batch_size")?.unwrap_or(BATCH_SIZE);
    if batch_size == 0 {
        let problem = "prune_attested_nodes_batch_size must be at least 1";
        return Err(server.error_at("prune_attested_nodes_batch_size", problem));
    }
    // As in SPIRE, no time at all switches it off.
    let expired_for = expired_for.filter(|time| !time.is_zero());
    Ok(expired_for.map(|expired_for| NodePruning { expired_for, batch_size, tofu }))
}
