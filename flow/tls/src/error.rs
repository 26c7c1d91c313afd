//! Why a handshake did not give a secured stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use finial_identity::{ForeignChainError, SpiffeId, SpkiPin, X509Error};
use finial_receive::NotLive;

/// A connection was not secured.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The peer is who it says, and the policy does not permit it. The text is ghostunnel's.
    #[error("unauthorized: invalid principal, or principal not allowed")]
    Unauthorized {
        /// The verified ID of the peer.
        id: SpiffeId,
    },
    /// The server is who it says, and its SVID is not for the host that was dialled.
    #[error("the SVID of {id} is not for {host}")]
    WrongHost {
        /// The verified ID of the server.
        id: SpiffeId,
        /// The host that was dialled.
        host: String,
        /// The DNS names of its SVID.
        names: Vec<String>,
    },
    /// The peer's certificate is no X509-SVID of a trust domain that we trust.
    #[error("the peer's certificate is not a valid X509-SVID")]
    Untrusted(#[source] Arc<X509Error>),
    /// The peer's certificate leads to no authority that we trust.
    #[error("the peer's certificate is not trusted")]
    UntrustedWeb(#[source] Arc<ForeignChainError>),
    /// The peer's certificate is trusted, and for another server than the one that was dialled.
    #[error("the server's certificate is not for {name}")]
    WrongName {
        /// The name that was dialled.
        name: String,
        /// The subject of the certificate.
        subject: String,
    },
    /// The peer's certificate is trusted, and none of its names is permitted. The text is ghostunnel's.
    #[error("unauthorized: invalid principal, or principal not allowed")]
    UnauthorizedWeb {
        /// The subject of the certificate.
        subject: String,
    },
    /// The peer's key is none of those that are pinned. The text is ghostunnel's.
    #[error("unauthorized: pin verification failed")]
    UnauthorizedKey {
        /// The SHA-256 pin of the key that it presented.
        pin: SpkiPin,
    },
    /// The peer presented no certificate.
    #[error("the peer presented no certificate")]
    NoCertificate,
    /// There is no identity to present, or there are no bundles to verify against.
    #[error("cannot secure a connection at the moment")]
    NotLive(#[from] NotLive),
    /// The current private key cannot be used for TLS.
    #[error("the private key of {id} cannot be used for TLS")]
    Key {
        /// The ID of the credential.
        id: SpiffeId,
        /// What the TLS library says about it.
        #[source]
        cause: rustls::Error,
    },
    /// The handshake took too long.
    #[error("the TLS handshake did not end within {0:?}")]
    Timeout(
        /// The time it was given.
        Duration,
    ),
    /// The handshake failed in another way: the peer refused, spoke something else, or went away.
    #[error("the TLS handshake failed")]
    Handshake(#[source] Arc<io::Error>),
}

impl TlsError {
    /// The refusal of our own verifier when it was the cause of `error`, else [`TlsError::Handshake`].
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(cause) if let Some(refusal) = refusal(cause) => refusal.clone(),
            _ => Self::Handshake(Arc::new(error)),
        }
    }

    /// As rustls carries it: the peer is told `certificate_unknown` and no reason.
    pub(crate) fn into_rustls(self) -> rustls::Error {
        let other = rustls::OtherError(Arc::new(self));
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))
    }
}

fn refusal(error: &rustls::Error) -> Option<&TlsError> {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other.0.downcast_ref(),
        _ => None,
    }
}
