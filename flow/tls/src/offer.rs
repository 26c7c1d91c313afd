//! What a handshake may agree on: protocol versions and cipher suites.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group;

use crate::config::{PROVIDER, VERSIONS};
use crate::hints::GroupHints;

/// The versions and suites that are offered and accepted. The default is all that there are: TLS 1.2 and 1.3, forward
/// secret AEAD suites only.
#[derive(Clone, Debug)]
pub struct Offer {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static SupportedProtocolVersion],
    /// What is known of servers, for clients. Clones share it.
    hints: Arc<GroupHints>,
}

/// A family of cipher suites, which has members in both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suites {
    /// AES-128 and AES-256 in GCM.
    Aes,
    /// ChaCha20-Poly1305.
    ChaCha,
}

static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

impl Offer {
    /// With these suites only, best first; without any, with all of them.
    #[must_use]
    pub fn with_suites(mut self, suites: &[Suites]) -> Self {
        let all = &PROVIDER.cipher_suites;
        let of = |family| all.iter().copied().filter(move |suite| Suites::of(*suite) == family);
        let chosen = suites.iter().copied().flat_map(of).collect::<Vec<_>>();
        if !chosen.is_empty() {
            self.provider = Arc::new(CryptoProvider { cipher_suites: chosen, ..(*self.provider).clone() });
        }
        self
    }

    /// Without TLS 1.3, and so without a key exchange that withstands a quantum computer.
    #[must_use]
    pub fn up_to_tls12(mut self) -> Self {
        self.versions = TLS12;
        self
    }

    /// Only what withstands a quantum computer: TLS 1.3, and keys agreed on with ML-KEM beside an elliptic curve.
    pub fn quantum_safe() -> Self {
        let kx_groups = vec![kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768];
        let provider = CryptoProvider { kx_groups, ..(**PROVIDER).clone() };
        Self { provider: Arc::new(provider), versions: TLS13, hints: Arc::default() }
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    pub(crate) fn hints(&self) -> Arc<GroupHints> {
        Arc::clone(&self.hints)
    }

    pub(crate) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        self.versions
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self { provider: Arc::clone(&PROVIDER), versions: VERSIONS, hints: Arc::default() }
    }
}

impl Suites {
    fn of(suite: rustls::SupportedCipherSuite) -> Self {
        let is_chacha = suite.suite().as_str().is_some_and(|name| name.contains("CHACHA20"));
        if is_chacha { Self::ChaCha } else { Self::Aes }
    }
}
