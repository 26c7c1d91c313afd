//! What is known of one attempt to connect, while tokio-postgres makes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use finial_identity::X509Credential;
use rustls_pki_types::CertificateDer;

/// Shared with the handshakes of one attempt, of which there may be several: one for each host and address.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// TLS begins without a question, so that the server must say that it speaks PostgreSQL's protocol.
    pub(crate) is_direct: bool,
    established: Mutex<Option<Established>>,
}

/// What the last handshake that was completed has shown.
#[derive(Clone, Debug)]
pub(crate) struct Established {
    /// What we presented, or an older one of the same source; `None` when it has only bundles.
    pub(crate) credential: Option<Arc<X509Credential>>,
    /// Until when the server's certificate is valid.
    pub(crate) server_until: SystemTime,
    /// The leaf that the server presented.
    pub(crate) server: Option<CertificateDer<'static>>,
}

impl Attempt {
    pub(crate) fn new(is_direct: bool) -> Self {
        Self { is_direct, established: Mutex::default() }
    }

    /// A handshake begins on another connection: what came of the one before is past.
    pub(crate) fn begin(&self) {
        *self.established.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn note(&self, established: Established) {
        *self.established.lock().unwrap_or_else(PoisonError::into_inner) = Some(established);
    }

    pub(crate) fn established(&self) -> Option<Established> {
        self.established.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
