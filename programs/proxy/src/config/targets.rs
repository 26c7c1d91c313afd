//! Where a proxy forwards, and how it finds out whether a target is well.

use std::time::Duration;

use rustls_pki_types::ServerName;

use crate::{Address, HttpUrl, ProxyError};

/// How the targets of a listener are checked while nobody calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// `path`: what is asked by GET, which must be answered by a status from 200 to 399. Without it a connection (and in
    /// client mode a handshake) is enough.
    pub path: Option<String>,
    /// `interval`: the pause between two checks of a target, spread by ±10 %; while it is ill the pause doubles, up to
    /// half a minute. Not zero. 5 seconds.
    pub interval: Duration,
    /// `timeout`: for one check. Not zero. 2 seconds.
    pub timeout: Duration,
    /// `healthy`: how many good checks in a row make an ill target well. Not zero. 2.
    pub healthy: u32,
    /// `unhealthy`: how many bad checks in a row make a target ill. Not zero. 3.
    pub unhealthy: u32,
}

/// A target after the checks.
#[derive(Clone, Debug)]
pub(crate) struct PlannedTarget {
    pub(crate) address: Address,
    /// What the certificate of the target must be for, and what is sent as SNI; a server has none.
    pub(crate) name: Option<ServerName<'static>>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy: 2,
            unhealthy: 3,
        }
    }
}

impl HealthCheck {
    pub(super) fn check(&self) -> Result<(), ProxyError> {
        let Self { path, interval, timeout, healthy, unhealthy } = self;
        if interval.is_zero() || timeout.is_zero() || *healthy == 0 || *unhealthy == 0 {
            return Err(ProxyError::HealthCheckOfNothing);
        }
        match path {
            Some(path) if !path.starts_with('/') => Err(ProxyError::HealthCheckPath { path: path.clone() }),
            Some(path) => self.url("localhost", path).map(drop),
            None => Ok(()),
        }
    }

    /// What is asked of a target.
    pub(crate) fn request(&self, target: &Address) -> Result<Option<HttpUrl>, ProxyError> {
        let Some(path) = &self.path else { return Ok(None) };
        let host = match target {
            Address::Tcp { host, port } if host.is_empty() => format!("localhost:{port}"),
            Address::Tcp { .. } => target.to_string(),
            Address::Unix(_) | Address::Passed(_) => "localhost".to_owned(),
        };
        self.url(&host, path).map(Some)
    }

    fn url(&self, host: &str, path: &str) -> Result<HttpUrl, ProxyError> {
        HttpUrl::parse(&format!("http://{host}{path}"))
            .map_err(|_| ProxyError::HealthCheckPath { path: path.to_owned() })
    }
}

/// What is checked: what was asked for, and several targets in any case, since only one that is known to be ill can be
/// passed over.
pub(super) fn health_check(
    asked: Option<HealthCheck>,
    targets: &[PlannedTarget],
) -> Result<Option<HealthCheck>, ProxyError> {
    if let Some(check) = &asked {
        check.check()?;
    }
    Ok(asked.or_else(|| (targets.len() > 1).then(HealthCheck::default)))
}

/// At least one, and none twice.
pub(super) fn distinct<T>(
    targets: &[String],
    read: impl Fn(&str) -> Result<T, ProxyError>,
) -> Result<Vec<T>, ProxyError> {
    if targets.is_empty() {
        return Err(ProxyError::NoTarget);
    }
    for (count, target) in targets.iter().enumerate() {
        if targets.iter().take(count).any(|other| other == target) {
            return Err(ProxyError::SameTarget { target: target.clone() });
        }
    }
    targets.iter().map(|target| read(target)).collect()
}
