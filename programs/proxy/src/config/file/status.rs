//! What a process tells of itself.

use super::keys::Keys;
use crate::{Quiet, StatusFlags};

/// Of the whole process.
pub(super) fn read(keys: &mut Keys) -> StatusFlags {
    let defaults = StatusFlags::default();
    StatusFlags {
        address: keys.take("status"),
        shutdown: keys.take("enable_shutdown").unwrap_or(defaults.shutdown),
        pprof: defaults.pprof,
        metrics_graphite: keys.take("metrics_graphite"),
        metrics_url: keys.take("metrics_url"),
        metrics_interval: keys.take("metrics_interval").unwrap_or(defaults.metrics_interval),
        metrics_prefix: keys.take("metrics_prefix").unwrap_or(defaults.metrics_prefix),
    }
}

/// `None` where the block says nothing of it.
pub(super) fn quiet(keys: &mut Keys) -> Option<Quiet> {
    const EXPECTED: &str = "each is all, conns, conn-errs or handshake-errs";
    let words = keys.texts("quiet");
    let mut quiet = Quiet::default();
    for word in &words {
        match word.as_str() {
            "all" => quiet = Quiet { connections: true, connection_errors: true, handshake_errors: true },
            "conns" => quiet.connections = true,
            "conn-errs" => quiet.connection_errors = true,
            "handshake-errs" => quiet.handshake_errors = true,
            other => {
                keys.read::<()>("quiet", Err(format!("{EXPECTED}, not `{}`", other.escape_debug())));
            }
        }
    }
    (!words.is_empty()).then_some(quiet)
}
