//! Peers of the web: servers on which documents such as bundles are published, and programs outside of SPIFFE.

mod parties;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use finial_daemon::Clock;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client};

pub use parties::{PinnedPeer, WebAcceptor, WebDialer, WebPeer};

use crate::TlsError;
use crate::config;
use crate::settings::HANDSHAKE_LIMIT;

/// Secures connections to servers that a web certificate names. Says nothing of SPIFFE: what comes over such a
/// connection is believed because of the server's host name alone.
#[derive(Clone, Debug)]
pub struct WebConnector {
    config: Arc<ClientConfig>,
    clock: Clock,
}

/// There is nothing to verify a server of the web with.
#[derive(Debug, thiserror::Error)]
pub enum WebRootsError {
    /// The operating system holds no root that can be used.
    #[error(
        "the operating system trusts no certificate authority: install its package ca-certificates, or set SSL_CERT_FILE"
    )]
    NoSystemRoots(#[source] Option<rustls_native_certs::Error>),
    /// A root is no certificate that can anchor.
    #[error("a root certificate cannot be used")]
    Root(#[source] rustls::Error),
}

impl WebConnector {
    /// Trusts what the operating system trusts: an operator's own authority is added there once, for every program.
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace it, as for OpenSSL and Go.
    ///
    /// # Errors
    /// When the system trusts nobody.
    pub fn with_system_roots(clock: &Clock) -> Result<Self, WebRootsError> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Systems carry roots that are too old or odd to be used; the others count.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(WebRootsError::NoSystemRoots(found.errors.pop()));
        }
        Ok(Self::new(roots, clock))
    }

    /// Trusts these authorities and no others.
    ///
    /// # Errors
    /// At the first that cannot anchor.
    pub fn with_roots(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
        clock: &Clock,
    ) -> Result<Self, WebRootsError> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(WebRootsError::Root)?;
        }
        Ok(Self::new(store, clock))
    }

    fn new(roots: RootCertStore, clock: &Clock) -> Self {
        Self { config: Arc::new(config::web_client(roots, clock)), clock: clock.clone() }
    }

    /// Performs the handshake with the server that is called `name`, in at most ten seconds. Offers HTTP/1.1.
    ///
    /// # Errors
    /// [`TlsError::Handshake`] when its certificate is not of that name or leads to no root, or when it speaks
    /// something else; [`TlsError::Timeout`].
    pub async fn connect<S>(
        &self,
        stream: S,
        name: ServerName<'static>,
    ) -> Result<client::TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream);
        match self.clock.timeout(HANDSHAKE_LIMIT, handshake).await {
            Ok(result) => result.map_err(TlsError::from_io),
            Err(_) => Err(TlsError::Timeout(HANDSHAKE_LIMIT)),
        }
    }
}
