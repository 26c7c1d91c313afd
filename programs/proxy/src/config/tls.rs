//! What handshakes may agree on: ghostunnel's hidden flags for cipher suites and versions.

use finial_tls::{Offer, Suites};

use crate::ProxyError;

/// The flags that narrow what handshakes agree on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFlags {
    /// `--cipher-suites`: `AES` and `CHACHA`, separated by commas, best first. Both without it.
    pub cipher_suites: Option<String>,
    /// `--allow-unsafe-cipher-suites`: suites without authentication may be named, though none is served.
    pub unsafe_suites: bool,
    /// `--max-tls-version`: `TLS1.2` or `TLS1.3`, which is the newest.
    pub newest: Option<String>,
}

impl TlsFlags {
    pub(super) fn offer(&self) -> Result<Offer, ProxyError> {
        let mut offer = Offer::default();
        if let Some(text) = &self.cipher_suites {
            let suites = text.split(',').map(|name| self.suites(name)).collect::<Result<Vec<_>, _>>()?;
            offer = offer.with_suites(&suites);
        }
        match self.newest.as_deref() {
            None | Some("TLS1.3") => Ok(offer),
            Some("TLS1.2") => Ok(offer.up_to_tls12()),
            Some(other) => Err(ProxyError::TlsVersion { version: other.to_owned() }),
        }
    }

    fn suites(&self, name: &str) -> Result<Suites, ProxyError> {
        match name.trim() {
            "AES" => Ok(Suites::Aes),
            "CHACHA" => Ok(Suites::ChaCha),
            "UNSAFE-AZURE" if self.unsafe_suites => Err(ProxyError::Unserved {
                flag: "--cipher-suites=UNSAFE-AZURE",
                remedy: "a suite in CBC mode is not served: let both ends agree on AES",
            }),
            _ => Err(ProxyError::CipherSuite { name: name.to_owned() }),
        }
    }
}
