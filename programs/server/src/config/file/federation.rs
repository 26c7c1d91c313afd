//! The `federation` block, which is not served yet.

use finial_daemon::hcl::{Block, HclError};

use crate::config::keys::FEDERATION;

/// Gives what the operator should know. As in SPIRE, a key that nobody knows does not keep the server from starting.
pub(super) fn read(server: &mut Block) -> Result<Vec<String>, HclError> {
    let Some(mut block) = server.take_block("federation")? else { return Ok(Vec::new()) };
    let mut warnings = block.take_unserved(FEDERATION, "server.federation")?;
    warnings.extend(block.pass_over());
    Ok(warnings)
}
