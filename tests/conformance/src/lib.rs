//! Corpora of certificates, and what verifiers make of them: ours, and those of others.
//!
//! ```text
//! corpus ──cases──→ tests/data/x509-svid.json ──→ judges ──verdicts──→ docs/conformance/*.md
//! ```
//!
//! `make conformance` writes corpus and pages anew; the tests hold them against what is true today.

#![expect(clippy::expect_used, reason = "what is made here is made of constants")]

mod corpus;
mod judges;
mod limbo;
mod page;
mod pem;
mod place;
#[cfg(test)]
mod tests;
mod x509;

pub use corpus::generate;
pub use limbo::{Case, Kind, Limbo, PeerName, Verdict};
pub use page::{limbo_page, svid_page};
pub use place::{LIMBO, LIMBO_PAGE, SVID, SVID_PAGE, path};
