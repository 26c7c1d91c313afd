//! Why an X.509-SVID is refused.

use super::{CertificateError, Revoked};
use crate::{KeyError, SpiffeIdError, TrustDomain};

/// Why an X.509-SVID is refused.
#[derive(Debug, thiserror::Error)]
pub enum X509Error {
    /// There is no certificate.
    #[error("x509-svid has no certificate; give at least the leaf")]
    NoCertificates,
    /// There are more than [`X509Svid::MAX_CHAIN`](crate::X509Svid::MAX_CHAIN) certificates; holds how many.
    #[error("x509-svid has a chain of {0} certificates; at most 16 are allowed")]
    ChainTooLong(usize),
    /// A certificate is malformed.
    #[error("x509-svid has a bad certificate")]
    Certificate(#[source] CertificateError),
    /// The PEM text is malformed.
    #[error("x509-svid is no valid pem text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// The leaf breaks a rule of the X509-SVID standard, which is named.
    #[error("x509-svid leaf {0}")]
    Leaf(&'static str),
    /// The leaf's URI name is no SPIFFE ID.
    #[error("x509-svid leaf has a malformed spiffe id")]
    SpiffeId(#[source] SpiffeIdError),
    /// The leaf's public key cannot be used.
    #[error("x509-svid leaf has an unusable public key")]
    PublicKey(#[source] KeyError),
    /// The private key does not belong to the leaf.
    #[error("private key does not belong to the leaf of x509-svid `{0}`")]
    KeyMismatch(crate::SpiffeId),
    /// There is no bundle for the leaf's trust domain.
    #[error("no bundle for trust domain `{0}`; federate with it to trust it")]
    NoBundle(TrustDomain),
    /// The bundle of the leaf's trust domain holds no authority that is valid at the time.
    #[error("bundle of trust domain `{0}` has no valid x509 authority")]
    NoAuthority(TrustDomain),
    /// The chain does not lead to an authority of the leaf's trust domain.
    #[error("x509-svid does not chain to an authority of its trust domain")]
    Chain(#[source] webpki::Error),
    /// A list of revoked certificates refuses the chain.
    #[error("x509-svid is refused by a revocation list")]
    Revoked(#[source] Revoked),
}
