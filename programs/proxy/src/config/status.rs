//! What a proxy tells of itself: its status server, and what of its log is left out.

use std::time::Duration;

use crate::sinks::Sinks;
use crate::{Address, HttpUrl, ProxyError, StatusAddress};

/// The flags of the status server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFlags {
    /// `--status`: where it listens, as `HOST:PORT` or `https://HOST:PORT` (by TLS), `http://HOST:PORT`, `unix:PATH` or
    /// `systemd:NAME` (in the clear); nowhere without it.
    pub address: Option<String>,
    /// `--enable-shutdown`: whoever reaches it may stop the proxy by `POST /_shutdown`.
    pub shutdown: bool,
    /// `--enable-pprof`: the status server tells at `/debug/pprof` that there is no profiler, and how to have one.
    pub pprof: bool,
    /// `--metrics-graphite`: where metrics are sent each second, as `HOST:PORT`.
    pub metrics_graphite: Option<String>,
    /// `--metrics-url`: where metrics are posted as JSON.
    pub metrics_url: Option<String>,
    /// `--metrics-interval`: how often they are posted; not zero. 30 seconds.
    pub metrics_interval: Duration,
    /// `--metrics-prefix`: what stands before the name of each metric.
    pub metrics_prefix: String,
}

/// What is not logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// `conns`: connections that open and close.
    pub connections: bool,
    /// `conn-errs`: connections that break, and targets that cannot be reached.
    pub connection_errors: bool,
    /// `handshake-errs`: callers with whom there is no handshake.
    pub handshake_errors: bool,
}

impl StatusFlags {
    /// What only makes sense with a status server.
    pub(super) fn check_company(&self) -> Result<(), ProxyError> {
        match self.address {
            None if self.pprof => Err(ProxyError::PprofWithoutStatus),
            None if self.shutdown => Err(ProxyError::ShutdownWithoutStatus),
            _ => Ok(()),
        }
    }

    /// Where metrics are brought to.
    pub(crate) fn sinks(&self) -> Result<Sinks, ProxyError> {
        let url = self.metrics_url.as_deref().map(HttpUrl::parse).transpose();
        let url = url.map_err(|cause| ProxyError::HttpUrl { flag: "--metrics-url", cause })?;
        if url.is_some() && self.metrics_interval.is_zero() {
            return Err(ProxyError::NoMetricsInterval);
        }
        let graphite = self.metrics_graphite.as_deref().map(Address::parse).transpose();
        let graphite = graphite.map_err(|cause| ProxyError::Address { flag: "--metrics-graphite", cause })?;
        if graphite.as_ref().is_some_and(|address| !matches!(address, Address::Tcp { .. })) {
            return Err(ProxyError::GraphiteNetwork);
        }
        Ok(Sinks { graphite, post: url.map(|url| (url, self.metrics_interval)) })
    }

    pub(crate) fn address(&self) -> Result<Option<StatusAddress>, ProxyError> {
        self.address.as_deref().map(StatusAddress::parse).transpose()
    }
}

impl Default for StatusFlags {
    fn default() -> Self {
        Self {
            address: None,
            shutdown: false,
            pprof: false,
            metrics_graphite: None,
            metrics_url: None,
            metrics_interval: Duration::from_secs(30),
            metrics_prefix: "ghostunnel".to_owned(),
        }
    }
}
