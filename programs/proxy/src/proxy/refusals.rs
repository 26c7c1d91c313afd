//! Callers that are not served: how each is counted, and what the log says of it.

use finial_tls::TlsError;

use super::Proxy;
use super::dial::{DialError, failure, stranger};
use crate::lines::Chain;
use crate::metrics::Failure;
use crate::plain::Remote;
use crate::proxy_protocol::HeaderTooLong;

impl Proxy {
    /// The handshake with a caller failed.
    pub(super) fn unmet(&self, from: &Remote, error: &TlsError) {
        self.metrics.fail(failure(error));
        if !self.quiet.handshake_errors {
            let (peer, from) = (stranger(error), from.without_network());
            tracing::warn!(peer = peer.as_deref(), "error on TLS handshake from {from}: {}", Chain(error));
        }
    }

    /// A caller had not ended its handshake when others came.
    pub(super) fn displaced(&self, from: &Remote) {
        self.metrics.fail(Failure::Slow);
        if !self.quiet.handshake_errors {
            tracing::warn!("error on TLS handshake from {from}: it took long, and others wait");
        }
    }

    /// The backend cannot be told who a caller is.
    pub(super) fn untellable(&self, from: &Remote, error: &HeaderTooLong) {
        self.metrics.fail(Failure::Rejected);
        if !self.quiet.connection_errors {
            tracing::warn!("connection from {from} is refused: {error}");
        }
    }

    /// Tells that the target could not be reached for a caller.
    pub(crate) fn undialled(&self, error: &DialError) {
        self.metrics.fail(error.failure());
        if !self.quiet.connection_errors {
            let peer = error.stranger();
            tracing::warn!(peer = peer.as_deref(), "error on dial: {}", Chain(error));
        }
    }
}
