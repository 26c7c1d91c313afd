//! Third stage: takes a [`Grant`](finial_authorize::Grant) and a public key or an audience, and makes the SVID.
//!
//! [`AuthorityManager`] owns the signing keys: two slots for X.509 and two for JWT, prepared at half life, activated
//! at a sixth left, and never used before the stored bundle holds them. What it has decided is in the journal; every
//! step begins by reading the journal, the bundle and the keys, so that recovering from a crash and ordinary work are
//! the same code. [`Issuer`] signs with whatever is active now.
//!
//! The identity, the DNS names and the lifetime come from the grant; a certificate request gave the public key and
//! nothing else.

mod authorities;
mod config;
mod error;
mod issuer;
mod jwt;
mod meters;
mod random;
#[cfg(test)]
mod testing;
mod x509;

#[cfg(feature = "testing")]
pub use authorities::rewritten_journal;
pub use authorities::{ActiveAuthorities, Authority, AuthorityKind, AuthorityManager, AuthorityStates};
pub use config::{CaSubject, IssueConfig};
pub use error::IssueError;
pub use issuer::Issuer;
pub use meters::IssueMeters;
