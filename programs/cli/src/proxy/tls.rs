//! The flags that narrow what handshakes agree on. ghostunnel hides them too: the defaults are right.

use clap::Args;
use finial_proxy::TlsFlags;

#[derive(Args)]
pub(super) struct Tls {
    /// Cipher suites: AES, CHACHA or both, separated by commas, best first
    #[arg(long = "cipher-suites", hide = true, value_name = "NAMES")]
    cipher_suites: Option<String>,
    /// Suites without authentication may be named
    #[arg(long = "allow-unsafe-cipher-suites", hide = true)]
    unsafe_suites: bool,
    /// The newest version: TLS1.2 or TLS1.3
    #[arg(long = "max-tls-version", hide = true, value_name = "VERSION")]
    newest: Option<String>,
}

impl Tls {
    pub(super) fn flags(&self) -> TlsFlags {
        TlsFlags {
            cipher_suites: self.cipher_suites.clone(),
            unsafe_suites: self.unsafe_suites,
            newest: self.newest.clone().filter(|version| !version.is_empty()),
        }
    }
}
