//! `health_checks { }`: where whoever asks is told how the helper is.

use std::net::IpAddr;

use finial_daemon::hcl::{Block, HclError};

use crate::vitals::METRICS;

const PORT: u16 = 8081;
const LIVENESS: &str = "/live";
const READINESS: &str = "/ready";

/// Where health is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthConfig {
    /// `None` for all addresses.
    pub(crate) bind_address: Option<IpAddr>,
    pub(crate) bind_port: u16,
    pub(crate) liveness_path: String,
    pub(crate) readiness_path: String,
}

/// `None` where it is not enabled.
pub(super) fn take(block: &mut Block) -> Result<Option<HealthConfig>, HclError> {
    let Some(mut checks) = block.take_block("health_checks")? else { return Ok(None) };
    let is_enabled = checks.take("listener_enabled")?.unwrap_or(false);
    let config = HealthConfig {
        bind_address: checks.take_parsed("bind_address")?,
        bind_port: port(&mut checks)?,
        liveness_path: path(&mut checks, "liveness_path", LIVENESS)?,
        readiness_path: path(&mut checks, "readiness_path", READINESS)?,
    };
    let problem = if config.liveness_path == config.readiness_path {
        Some("liveness_path and readiness_path are the same: change one")
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(checks.error_at("readiness_path", problem));
    }
    checks.finish()?;
    Ok(is_enabled.then_some(config))
}

/// Zero is as none, as in the ancestor.
fn port(checks: &mut Block) -> Result<u16, HclError> {
    match checks.take::<i64>("bind_port")? {
        None | Some(0) => Ok(PORT),
        Some(..0) => Err(checks.error_at("bind_port", "bind port must be positive")),
        Some(port) => {
            let problem = format!("bind_port must be at most 65535, not {port}");
            u16::try_from(port).map_err(|_| checks.error_at("bind_port", &problem))
        }
    }
}

fn path(checks: &mut Block, key: &'static str, default: &str) -> Result<String, HclError> {
    let path = super::text(checks, key)?.unwrap_or_else(|| default.to_owned());
    if !path.starts_with('/') {
        return Err(checks.error_at(key, &format!("{key} must begin with /")));
    }
    if path == METRICS {
        return Err(checks.error_at(key, &format!("{key} is where the metrics are: choose another")));
    }
    Ok(path)
}
