//! The two ports for those who watch over the server: metrics for Prometheus, health for orchestrators.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use finial_daemon::health::HealthConfig;
use finial_daemon::metrics::Metrics;
use finial_daemon::pages::{Page, Pages};
use finial_daemon::{Clock, Tasks};
use finial_receive::Source;
use finial_tls::metrics_pages;

use crate::core::Core;
use crate::{Config, health};

/// The ports, bound and not yet answering.
#[derive(Debug)]
pub(crate) struct Telling {
    metrics: Option<Pages>,
    health: Option<(Pages, HealthConfig)>,
}

impl Telling {
    /// Binds what the configuration asks for.
    ///
    /// # Errors
    /// When a port cannot be bound, or the files of its certificate cannot be read.
    pub(crate) async fn bind(
        config: &Config,
        source: &Source,
        clock: &Clock,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let metrics = metrics_pages(&config.telemetry, source, clock, tasks).await?;
        let health = match &config.health {
            Some(health) => {
                let (host, port) = (&health.bind_address, health.bind_port);
                let pages = health.bind().await;
                Some((
                    pages.with_context(|| format!("listen on {host}:{port} for health checks"))?,
                    health.clone(),
                ))
            }
            None => None,
        };
        Ok(Self { metrics, health })
    }

    /// Where Prometheus may ask.
    pub(crate) fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.address()
    }

    /// Where orchestrators may ask.
    pub(crate) fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref()?.0.address()
    }

    /// Answers until the tasks are drained.
    pub(crate) fn serve(self, metrics: &Metrics, core: &Arc<Core>, source: Source, tasks: &Tasks) {
        let clock = &core.clock;
        if let Some(pages) = self.metrics {
            log("metrics are served", &pages);
            let metrics = metrics.clone();
            pages.serve("metrics", move |_| Page::ok(Page::PROMETHEUS, metrics.page()), clock, tasks);
        }
        if let Some((pages, config)) = self.health {
            log("health is served", &pages);
            health::checks(core, source, tasks).serve(pages, config, clock, tasks);
        }
    }
}

fn log(what: &str, pages: &Pages) {
    let address = pages.address().map(|address| address.to_string());
    tracing::info!(address, "{what}");
}

/// What is looked up when somebody asks, rather than counted.
pub(crate) fn gauges(metrics: &Metrics, core: &Arc<Core>) {
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
