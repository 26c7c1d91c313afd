//! The `experimental` block: mostly the caches of SPIRE, which there are none of here.

use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};

use super::set;
use crate::Config;
use crate::config::keys::EXPERIMENTAL;

/// How often SPIRE fills its cache anew, unless it is told otherwise: with what changed, and with everything.
const RELOAD: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(24));

/// As in SPIRE, a key that nobody knows does not keep the server from starting.
pub(super) fn read(server: &mut Block, config: &mut Config) -> Result<(), HclError> {
    let Some(mut block) = server.take_block("experimental")? else { return Ok(()) };
    set(&mut config.require_pq_kem, block.take("require_pq_kem")?);
    check_cache(&block)?;
    check_events(&block)?;
    block.peek::<bool>("agent_spiffe_id_as_selector")?;
    config.warnings.extend(block.take_unserved(EXPERIMENTAL, "server.experimental")?);
    config.warnings.extend(block.pass_over());
    Ok(())
}

/// SPIRE's rules, so that a file which it refuses is refused here, too.
fn check_cache(block: &Block) -> Result<(), HclError> {
    block.peek::<bool>("events_based_cache")?;
    let often = block.peek::<Duration>("cache_reload_interval")?.unwrap_or(RELOAD.0);
    let seldom = block.peek::<Duration>("full_cache_reload_interval")?.unwrap_or(RELOAD.1);
    if seldom <= often {
        let problem = "full_cache_reload_interval must be longer than cache_reload_interval";
        return Err(block.error_at("full_cache_reload_interval", problem));
    }
    Ok(())
}

fn check_events(block: &Block) -> Result<(), HclError> {
    block.peek::<Duration>("prune_events_older_than")?;
    let timeout = block.peek::<Duration>("event_timeout")?;
    let earlier_name = block.peek::<Duration>("sql_transaction_timeout")?;
    if timeout.is_some() && earlier_name.is_some() {
        let problem = "event_timeout and sql_transaction_timeout are the same setting: keep event_timeout";
        return Err(block.error_at("sql_transaction_timeout", problem));
    }
    Ok(())
}
