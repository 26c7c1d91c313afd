//! How long a proxy waits, and how much it serves at once.

use super::keys::Keys;
use crate::Limits;

/// The keys of the block; for those that it has not, `defaults`.
pub(super) fn read(keys: &mut Keys, defaults: &Limits) -> Limits {
    let mut span = |key, default| keys.take(key).unwrap_or(default);
    let (workload_api_timeout, connect_timeout, shutdown_timeout, close_timeout, lifetime) = (
        span("use_workload_api_timeout", defaults.workload_api_timeout),
        span("connect_timeout", defaults.connect_timeout),
        span("shutdown_timeout", defaults.shutdown_timeout),
        span("close_timeout", defaults.close_timeout),
        span("max_conn_lifetime", defaults.lifetime),
    );
    let connections = match keys.take::<u32>("max_concurrent_conns") {
        None => defaults.connections,
        Some(0) => usize::MAX,
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    Limits { workload_api_timeout, connect_timeout, shutdown_timeout, close_timeout, lifetime, connections }
}
