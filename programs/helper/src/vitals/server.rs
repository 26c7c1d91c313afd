//! Health and metrics for whoever asks by HTTP: the ancestor's two paths, and `/metrics`.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use finial_daemon::pages::{Page, Pages};
use finial_daemon::{Clock, Tasks};

use super::{Vitals, metrics, report};
use crate::config::HealthConfig;

pub(crate) const METRICS: &str = "/metrics";

/// A bound port, on which nobody is answered yet.
#[derive(Debug)]
pub(crate) struct HealthListener {
    pages: Pages,
    config: HealthConfig,
}

impl HealthListener {
    /// Without an address on all of them: those of IPv6 take IPv4 with them, where the system has IPv6.
    pub(crate) async fn bind(config: HealthConfig) -> io::Result<Self> {
        let port = config.bind_port;
        let pages = match config.bind_address {
            Some(address) => Pages::bind((address, port)).await?,
            None => match Pages::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    Pages::bind((Ipv4Addr::UNSPECIFIED, port)).await?
                }
                bound => bound?,
            },
        };
        Ok(Self { pages, config })
    }

    /// Where callers connect; `None` when the system does not know any more.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.pages.address()
    }

    /// Answers whoever connects, until `tasks` are asked to end.
    pub(crate) fn serve(self, vitals: &Vitals, clock: &Clock, tasks: &Tasks) {
        let (vitals, config) = (vitals.clone(), self.config);
        self.pages.serve("health", move |path| vitals.page(&config, path), clock, tasks);
    }
}

impl Vitals {
    fn page(&self, config: &HealthConfig, path: &str) -> Page {
        let is_live = path == config.liveness_path;
        if !is_live && path != config.readiness_path && path != METRICS {
            return Page::not_found();
        }
        let state = self.state.borrow();
        if path == METRICS {
            return Page::ok(Page::PROMETHEUS, metrics::text(&state, self.clock.now()));
        }
        let well = if is_live { state.is_live() } else { state.is_ready() };
        let body = report::body(&state, well).to_string();
        Page { code: if well { 200 } else { 503 }, kind: Page::JSON, body }
    }
}
