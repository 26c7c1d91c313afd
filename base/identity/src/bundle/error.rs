//! Why a bundle is refused.

use crate::{CertificateError, KeyError};

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The document is no JSON object, or has a duplicate member.
    #[error("bundle is no valid json document")]
    Json(#[source] serde_json::Error),
    /// The document is JSON, but a member is missing or malformed.
    #[error("bundle member `{member}` {problem}")]
    Member {
        /// The member at fault.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A JWK holds a malformed key.
    #[error("bundle has a jwk with a malformed key")]
    Key(#[source] KeyError),
    /// A certificate is malformed.
    #[error("bundle has a bad certificate")]
    Certificate(#[source] CertificateError),
    /// The PEM text is malformed.
    #[error("bundle is no valid pem text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// There is no certificate in the PEM text.
    #[error("bundle has no pem certificate; expected at least one `BEGIN CERTIFICATE`")]
    NoCertificates,
}
