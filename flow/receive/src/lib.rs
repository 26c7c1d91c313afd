//! Stage 5, receive: takes the identity that an agent, or a folder, provides, and keeps it live.
//!
//! ```text
//! … provide ──→ receive ──Source──→ tls ──Peer──→ app
//! ```
//!
//! A [`Source`] holds the credential of this process together with the bundles it trusts, as one generation: an
//! [`X509Context`] exists only after its parts were proven to belong together, and a set that does not is refused
//! while the one before goes on. Sources come from the Workload API ([`Source::from_workload_api`]), from PEM
//! files ([`Source::from_files`]) or from a program that issues to itself ([`Source::channel`]). JWTs come from a
//! [`JwtSource`].
//!
//! Whom authorities have revoked is told by a [`RevocationSource`], for peers of either kind.
//!
//! A program outside of SPIFFE, such as a proxy between certificates of a company's PKI, has a [`WebSource`] instead.
//!
//! What changes while a program runs is a [`Live`] value: waiting, current or withdrawn, and nothing is served in
//! the first and the last of these.

mod context;
mod endpoint;
mod error;
mod files;
mod follow;
mod jwt;
mod live;
mod refusals;
mod revocation;
mod source;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod watched;
mod web;
mod workload;

pub use context::X509Context;
pub use endpoint::{ENDPOINT_VARIABLE, Endpoint, connect};
pub use error::ReceiveError;
pub use files::IdentityFiles;
pub use jwt::JwtSource;
pub use live::{Live, LiveWriter, NotLive};
pub use revocation::RevocationSource;
pub use source::{Source, SourceWriter};
pub use web::{
    Password, WebCredential, WebFiles, WebIdentity, WebPair, WebRoots, WebSource, WebSourceWriter,
};
