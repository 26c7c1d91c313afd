//! TLS before the pages that a program shows to those who watch over it: metrics by HTTPS.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::pages::{Duplex, Front, Pages};
use finial_daemon::telemetry::{PrometheusConfig, PrometheusTls, TelemetryConfig};
use finial_daemon::{Clock, Tasks};
use finial_identity::SpiffeId;
use finial_receive::{ReceiveError, Source, WebFiles, WebPair, WebRoots, WebSource};
use tokio::net::TcpStream;

use crate::{Acceptor, NameRules, Policy, WebAcceptor};

/// Why nobody can be told the metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsPortError {
    /// The port cannot be had.
    #[error("{host}:{port} cannot be listened on for Prometheus")]
    Bind {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The certificate for HTTPS cannot be used.
    #[error("certificate for Prometheus cannot be used")]
    Certificate(#[from] ReceiveError),
}

/// Binds the port for Prometheus, if the configuration has one. By HTTPS those who ask are met with a certificate of files,
/// or with the program's own SVID.
///
/// # Errors
/// When the port, or the files of its certificate, cannot be used.
pub async fn metrics_pages(
    config: &TelemetryConfig,
    source: &Source,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Option<Pages>, MetricsPortError> {
    let Some(PrometheusConfig { host, port, tls }) = &config.prometheus else { return Ok(None) };
    let bound = Pages::bind((host.as_str(), *port)).await;
    let pages = bound.map_err(|source| MetricsPortError::Bind { host: host.clone(), port: *port, source })?;
    Ok(Some(match tls {
        Some(tls) => pages.behind(front(tls, source, clock, tasks).await?),
        None => pages,
    }))
}

async fn front(
    config: &PrometheusTls,
    source: &Source,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Arc<dyn Front>, ReceiveError> {
    match config {
        PrometheusTls::Files { cert_file, key_file, client_ca_file } => {
            let own = WebPair { certificate: cert_file.clone(), key: key_file.clone(), password: None };
            let roots = client_ca_file.clone().map_or(WebRoots::None, WebRoots::File);
            let files = WebFiles { own: Some(own), roots };
            let source = WebSource::from_files(files, Some(REREAD), clock, tasks).await?;
            let rules = NameRules { anyone: true, ..NameRules::default() };
            let acceptor = WebAcceptor::new(&source, rules);
            Ok(Arc::new(ByFiles { acceptor, asks: client_ca_file.is_some() }))
        }
        PrometheusTls::Svid { authorized } => {
            // The configuration was checked when it was read: what is no ID permits nobody.
            let ids = authorized.iter().filter_map(|id| SpiffeId::parse(id).ok());
            Ok(Arc::new(BySvid(Acceptor::new(source, Policy::ids(ids)))))
        }
    }
}

/// How often certificate and key are looked at, so that a renewed pair needs no restart.
const REREAD: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct ByFiles {
    acceptor: WebAcceptor,
    /// Whether whoever asks must show a certificate.
    asks: bool,
}

#[derive(Debug)]
struct BySvid(Acceptor);

#[async_trait]
impl Front for ByFiles {
    async fn meet(&self, stream: TcpStream) -> io::Result<Box<dyn Duplex>> {
        let stream = if self.asks {
            self.acceptor.accept(stream).await.map_err(io::Error::other)?.stream
        } else {
            self.acceptor.accept_anybody(stream).await.map_err(io::Error::other)?.stream
        };
        Ok(Box::new(stream))
    }
}

#[async_trait]
impl Front for BySvid {
    async fn meet(&self, stream: TcpStream) -> io::Result<Box<dyn Duplex>> {
        Ok(Box::new(self.0.accept(stream).await.map_err(io::Error::other)?.stream))
    }
}
