//! The keys of what is kept for workloads, and how often they may ask for it.

use std::time::Duration;

use finial_daemon::go::format_duration;
use finial_daemon::hcl::{Block, HclError};
use finial_identity::KeyKind;
use finial_provide::RateLimits;

use crate::config::Config;
use crate::config::keys::EXPERIMENTAL;

/// The least availability target (SPIRE's).
const LEAST_TARGET: Duration = Duration::from_secs(24 * 3600);
/// The least wait for a new JWT-SVID, and what it must stay below (SPIRE's).
const HIT_TIMEOUT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    let delivery = &mut config.delivery;
    set(&mut delivery.x509_svid_cache_max_size, size(agent, "x509_svid_cache_max_size")?);
    set(&mut delivery.jwt_svid_cache_max_size, size(agent, "jwt_svid_cache_max_size")?);
    set(&mut delivery.workload_x509_svid_key_type, key_type(agent)?);
    delivery.availability_target = availability_target(agent)?;
    set(&mut delivery.allow_unauthenticated_verifiers, agent.take("allow_unauthenticated_verifiers")?);
    set(&mut delivery.allowed_foreign_jwt_claims, agent.take("allowed_foreign_jwt_claims")?);
    set(&mut delivery.disable_workload_api, agent.take("disable_workload_api")?);
    if let Some(experimental) = agent.take_block("experimental")? {
        read_experimental(experimental, config)?;
    }
    Ok(())
}

/// As in SPIRE, a key that nobody knows does not keep the agent from starting.
fn read_experimental(mut block: Block, config: &mut Config) -> Result<(), HclError> {
    set(&mut config.require_pq_kem, block.take("require_pq_kem")?);
    let delivery = &mut config.delivery;
    if let Some(interval) = block.take::<Duration>("sync_interval")? {
        if interval.is_zero() {
            let problem = "sync_interval must be longer than 0s: the server would be asked without end";
            return Err(block.error_at("sync_interval", problem));
        }
        delivery.sync_interval = interval;
    }
    set(&mut delivery.jwt_svid_cache_hit_timeout, hit_timeout(&mut block)?);
    if let Some(limits) = block.take_block("ratelimit")? {
        read_rate_limits(limits, &mut delivery.rate_limits)?;
    }
    config.warnings.extend(block.take_unserved(EXPERIMENTAL, "agent.experimental")?);
    config.warnings.extend(block.pass_over());
    Ok(())
}

/// A limit that is not given keeps its default; 0 switches it off.
fn read_rate_limits(mut block: Block, limits: &mut RateLimits) -> Result<(), HclError> {
    set(&mut limits.fetch_x509_svid, block.take("fetch_x509_svid")?);
    set(&mut limits.fetch_jwt_svid, block.take("fetch_jwt_svid")?);
    set(&mut limits.fetch_x509_bundles, block.take("fetch_x509_bundles")?);
    set(&mut limits.fetch_jwt_bundles, block.take("fetch_jwt_bundles")?);
    set(&mut limits.stream_secrets, block.take("stream_secrets")?);
    set(&mut limits.fetch_secrets, block.take("fetch_secrets")?);
    block.finish()
}

/// A number of places; 0 stands for the default, as in SPIRE.
fn size(agent: &mut Block, key: &'static str) -> Result<Option<usize>, HclError> {
    Ok(agent.take::<u32>(key)?.filter(|size| *size > 0).map(|size| size as usize))
}

fn key_type(agent: &mut Block) -> Result<Option<KeyKind>, HclError> {
    const KEY: &str = "workload_x509_svid_key_type";
    match agent.take::<String>(KEY)?.as_deref() {
        None => Ok(None),
        Some("ec-p256") => Ok(Some(KeyKind::EcP256)),
        Some("ec-p384") => Ok(Some(KeyKind::EcP384)),
        Some("rsa-2048") => Ok(Some(KeyKind::Rsa { bits: 2048 })),
        Some(other) => {
            let problem = format!("unknown key type `{other}`: use ec-p256, ec-p384 or rsa-2048");
            Err(agent.error_at(KEY, &problem))
        }
    }
}

fn availability_target(agent: &mut Block) -> Result<Option<Duration>, HclError> {
    const KEY: &str = "availability_target";
    let target = agent.take::<Duration>(KEY)?;
    match target.filter(|target| *target < LEAST_TARGET) {
        None => Ok(target),
        Some(short) => {
            let problem =
                format!("{KEY} {} is too short: give 24h or more, or leave it out", format_duration(short));
            Err(agent.error_at(KEY, &problem))
        }
    }
}

fn hit_timeout(block: &mut Block) -> Result<Option<Duration>, HclError> {
    const KEY: &str = "jwt_svid_cache_hit_timeout";
    let timeout = block.take::<Duration>(KEY)?;
    match timeout.filter(|timeout| *timeout < HIT_TIMEOUT.0 || *timeout >= HIT_TIMEOUT.1) {
        None => Ok(timeout),
        Some(wrong) => {
            let problem = format!("{KEY} {} must be at least 5s and less than 30s", format_duration(wrong));
            Err(block.error_at(KEY, &problem))
        }
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
