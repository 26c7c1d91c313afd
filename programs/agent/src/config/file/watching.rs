//! Who is told how the agent is: `telemetry { }` and `health_checks { }`.

use finial_daemon::hcl::{Block, HclError};
use finial_daemon::health::HealthConfig;
use finial_daemon::telemetry::TelemetryConfig;
use finial_identity::SpiffeId;

use crate::Config;

/// What the two blocks say.
pub(super) struct Watching {
    telemetry: TelemetryConfig,
    health: Option<HealthConfig>,
}

/// Takes both blocks from the top of the file.
pub(super) fn take(top: &mut Block) -> Result<Watching, HclError> {
    let check_id = |id: &str| SpiffeId::parse(id).map(drop).map_err(|error| error.to_string());
    Ok(Watching { telemetry: TelemetryConfig::take(top, check_id)?, health: HealthConfig::take(top)? })
}

impl Watching {
    pub(super) fn set(self, config: &mut Config) {
        config.telemetry = self.telemetry;
        config.health = self.health;
    }
}
