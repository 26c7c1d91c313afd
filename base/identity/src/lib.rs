//! Before the first stage: the nouns every stage passes on, and the checks that make them trustworthy.
//!
//! Names ([`SpiffeId`], [`TrustDomain`]), what an identity is registered as ([`Entry`], [`Selector`], [`Node`]),
//! keys and requests ([`PrivateKey`], [`PublicKey`], [`CertificateRequest`]), the documents themselves
//! ([`X509Svid`], [`JwtSvid`]) and what they are checked against ([`Bundle`], [`BundleSet`]).
//!
//! No I/O, no async, no clock: the time is an argument. Every type is parsed once, at the border, and holds the
//! bytes it was parsed from. [`Verified`] is the only proof that a document was checked against a bundle, and only
//! this crate can make one.

mod bundle;
mod csr;
mod entry;
mod json;
mod jwt;
mod key;
mod keystore;
mod node;
mod pem;
mod selector;
mod signed;
mod spiffe_id;
#[cfg(test)]
mod testing;
mod trust_domain;
mod verified;
mod x509;

pub use bundle::{Bundle, BundleError, BundleSet, JwtAuthority};
pub use csr::{CertificateRequest, CsrError};
pub use entry::{Entry, EntryDraft, EntryError, EntryId};
pub use jwt::{Audience, JwtClaims, JwtError, JwtSigningInput, JwtSvid};
pub use key::{KeyError, KeyKind, PrivateKey, PublicKey, SpkiPin, SpkiPinError};
pub use keystore::{Keystore, KeystoreError, Truststore};
pub use node::Node;
pub use pem::certificates_to_pem;
pub use selector::{Selector, SelectorError, SelectorSet};
pub use spiffe_id::{BadByte, SpiffeId, SpiffeIdError};
pub use trust_domain::TrustDomain;
pub use verified::Verified;
pub use x509::{
    CLOCK_SKEW, CertificateError, CertificateSummary, ForeignChain, ForeignChainError, RevocationListError,
    RevocationLists, Revoked, Role, X509Authority, X509Credential, X509Error, X509Svid, tls_server_end_point,
};
