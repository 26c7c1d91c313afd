//! x509pop: a node shows the certificate that it was provisioned with, and proves that it holds the key.
//!
//! ```text
//! agent                                        server
//!   ── certificates, leaf first ───────────────→   sizes, then the chain
//!   ←───────────────────────── 32 random bytes ──
//!   ── 32 more, and a signature over all 64 ───→   the signature
//! ```
//!
//! The messages are SPIRE's. Which authorities count is one of two modes: those of another PKI, in files, or the
//! server's own, for an SVID that is exchanged for an agent's.

mod attestor;
mod authorities;
mod evidence;
mod message;
mod possession;
mod proof;
mod template;
#[cfg(test)]
mod tests;

pub use attestor::{X509PopAttestor, X509PopConfig, X509PopMode};
pub use evidence::{X509PopEvidence, X509PopFiles};
pub use possession::Possession;
pub use template::{PathTemplateError, X509PopPathTemplate};

/// The name of the plugin, and the type of its selectors.
const KIND: &str = "x509pop";
/// The longest message of either side, in bytes: room for five certificates with RSA keys of 8192 bits.
const MAX_MESSAGE: usize = 64 << 10;
