//! The two ports for those who watch over the agent: metrics for Prometheus, health for orchestrators.

use std::net::SocketAddr;

use anyhow::Context;
use finial_daemon::health::{Checks, HealthConfig};
use finial_daemon::metrics::Metrics;
use finial_daemon::pages::{Page, Pages};
use finial_daemon::{Clock, Tasks};
use finial_receive::Source;
use finial_tls::metrics_pages;

use crate::Config;

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
    pub(crate) fn serve(self, metrics: Metrics, checks: Checks, clock: &Clock, tasks: &Tasks) {
        if let Some(pages) = self.metrics {
            log("metrics are served", &pages);
            pages.serve("metrics", move |_| Page::ok(Page::PROMETHEUS, metrics.page()), clock, tasks);
        }
        if let Some((pages, config)) = self.health {
            log("health is served", &pages);
            checks.serve(pages, config, clock, tasks);
        }
    }
}

fn log(what: &str, pages: &Pages) {
    let address = pages.address().map(|address| address.to_string());
    tracing::info!(address, "{what}");
}
