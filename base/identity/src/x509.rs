//! X.509-SVIDs: the document, the credential it makes with its key, and how it is verified.

mod authority;
mod certificate;
mod channel_binding;
mod credential;
mod error;
mod foreign;
mod leaf;
#[cfg(test)]
mod limbo_tests;
mod revocation;
mod summary;
mod svid;
#[cfg(test)]
mod tests;
mod verify;

pub use authority::X509Authority;
pub use certificate::CertificateError;
pub(crate) use certificate::split_der;
pub use channel_binding::tls_server_end_point;
pub use credential::X509Credential;
pub use error::X509Error;
pub use foreign::{ForeignChain, ForeignChainError};
pub use revocation::{RevocationListError, RevocationLists, Revoked};
pub use summary::CertificateSummary;
pub use svid::{CLOCK_SKEW, X509Svid};
pub use verify::Role;
