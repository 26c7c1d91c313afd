//! What a proxy tells of itself: its status server, and what of its log is left out.

use crate::{ProxyError, StatusAddress};

/// The flags of the status server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFlags {
    /// `--status`: where it listens, as `HOST:PORT` or `https://HOST:PORT` (by TLS), `http://HOST:PORT`, `unix:PATH` or
    /// `systemd:NAME` (in the clear); nowhere without it.
    pub address: Option<String>,
    /// `--enable-shutdown`: whoever reaches it may stop the proxy by `POST /_shutdown`.
    pub shutdown: bool,
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
        match (&self.address, self.shutdown) {
            (None, true) => Err(ProxyError::ShutdownWithoutStatus),
            _ => Ok(()),
        }
    }

    pub(crate) fn address(&self) -> Result<Option<StatusAddress>, ProxyError> {
        self.address.as_deref().map(StatusAddress::parse).transpose()
    }
}

impl Default for StatusFlags {
    fn default() -> Self {
        Self { address: None, shutdown: false, metrics_prefix: "ghostunnel".to_owned() }
    }
}
