//! The two ports for those who watch over a program: metrics for Prometheus, health for orchestrators.

use std::io;
use std::net::SocketAddr;

use crate::health::{Checks, HealthConfig};
use crate::metrics::Metrics;
use crate::pages::{Page, Pages};
use crate::{Clock, Tasks};

/// The ports, bound and not yet answering.
#[derive(Debug)]
pub struct Telling {
    metrics: Option<Pages>,
    health: Option<(Pages, HealthConfig)>,
}

/// The port for health cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("listen on {host}:{port} for health checks")]
pub struct HealthPortError {
    host: String,
    port: u16,
    source: io::Error,
}

impl Telling {
    /// Binds the port for health, if there is to be one. That for metrics is bound already, if there is one: who may
    /// ask there may be a question of certificates.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn bind(
        metrics: Option<Pages>,
        health: Option<&HealthConfig>,
    ) -> Result<Self, HealthPortError> {
        let health = match health {
            Some(config) => {
                let (host, port) = (config.bind_address.clone(), config.bind_port);
                let bound = config.bind().await;
                let pages = bound.map_err(|source| HealthPortError { host, port, source })?;
                Some((pages, config.clone()))
            }
            None => None,
        };
        Ok(Self { metrics, health })
    }

    /// Where Prometheus may ask.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.address()
    }

    /// Where orchestrators may ask.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref()?.0.address()
    }

    /// Answers until the tasks are drained. `checks` is only called where somebody may ask for health.
    pub fn serve(self, metrics: Metrics, checks: impl FnOnce() -> Checks, clock: &Clock, tasks: &Tasks) {
        if let Some(pages) = self.metrics {
            log("metrics are served", &pages);
            pages.serve("metrics", move |_| Page::ok(Page::PROMETHEUS, metrics.page()), clock, tasks);
        }
        if let Some((pages, config)) = self.health {
            log("health is served", &pages);
            checks().serve(pages, config, clock, tasks);
        }
    }
}

fn log(what: &str, pages: &Pages) {
    let address = pages.address().map(|address| address.to_string());
    tracing::info!(address, "{what}");
}
