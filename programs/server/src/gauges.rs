//! What is looked up when somebody asks for the metrics, rather than counted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::metrics::Metrics;

use crate::core::Core;

/// Adds them.
pub(crate) fn add(metrics: &Metrics, core: &Arc<Core>) {
    let version = env!("CARGO_PKG_VERSION");
    let trust_domain = core.trust_domain.to_string();
    let labels = [("version", version), ("trust_domain_id", trust_domain.as_str())];
    metrics.gauge("started", "The server that runs.", &labels, || Some(1.0));
    let domain = [("trust_domain_id", trust_domain.as_str())];
    let (issuer, clock) = (core.issuer.clone(), core.clock.clone());
    let left = move || {
        let left = issuer.active().borrow().x509_expires_at().duration_since(clock.now());
        Some(left.unwrap_or_default().as_secs_f64())
    };
    metrics.gauge(
        "manager.x509_ca.rotate.ttl",
        "What the active X.509 authority has left, in s.",
        &domain,
        left,
    );
    let issuer = core.issuer.clone();
    let ends = move || Some(since_1970(issuer.active().borrow().x509_expires_at()).as_secs_f64());
    metrics.gauge(
        "manager.x509_ca.rotate.expiration",
        "When the active X.509 authority ends, in s since 1970.",
        &domain,
        ends,
    );
    let count = |key: &'static str, help, count: fn(&Core) -> usize| {
        let core = Arc::clone(core);
        metrics.gauge(key, help, &[], move || Some(count(&core) as f64));
    };
    count("index.entries", "Entries in memory.", |core| core.index.snapshot().entry_count());
    count("index.nodes", "Agents' nodes in memory.", |core| core.index.snapshot().node_count());
    count("index.bundles", "Bundles in memory, our own among them.", |core| {
        core.index.snapshot().bundles().iter().count()
    });
}

fn since_1970(instant: SystemTime) -> Duration {
    instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
