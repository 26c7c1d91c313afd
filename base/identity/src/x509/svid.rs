//! The X.509-SVID document: a chain of certificates, leaf first.

use std::{fmt, sync::Arc, time::SystemTime};

use rustls_pki_types::CertificateDer;

use crate::{PublicKey, SpiffeId, X509Error};

/// A chain of certificates, leaf first, whose leaf meets the rules of an X.509-SVID. Cloning is cheap.
///
/// That it parses says nothing about who signed it: see [`X509Svid::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct X509Svid(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    not_before: SystemTime,
    not_after: SystemTime,
    serial_number: String,
    public_key: PublicKey,
}

impl X509Svid {
    /// The longest chain, leaf included.
    pub const MAX_CHAIN: usize = 16;

    /// Parses concatenated DER certificates, leaf first, as the Workload API has them.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn parse_der(der: &[u8]) -> Result<Self, X509Error> {
        let _ = der;
        Err(X509Error::NoCertificates)
    }

    /// Takes a chain, leaf first.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn from_chain(chain: Vec<CertificateDer<'static>>) -> Result<Self, X509Error> {
        Err(X509Error::ChainTooLong(chain.len()))
    }

    /// Parses PEM certificates, leaf first; other PEM sections are passed over.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn parse_pem(pem: &[u8]) -> Result<Self, X509Error> {
        let _ = pem;
        Err(X509Error::NoCertificates)
    }

    /// The SPIFFE ID of the leaf. It is whoever signed that says so, until the SVID is verified.
    pub fn id(&self) -> &SpiffeId {
        &self.0.id
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The leaf.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.0.chain[0]
    }

    /// The certificates, leaf first, concatenated.
    pub fn chain_der(&self) -> Vec<u8> {
        self.0.chain.iter().flat_map(|certificate| certificate.iter().copied()).collect()
    }

    /// The start of the leaf's validity.
    pub fn not_before(&self) -> SystemTime {
        self.0.not_before
    }

    /// The end of the leaf's validity, inclusive.
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// The leaf's serial number, in decimal.
    pub fn serial_number(&self) -> &str {
        &self.0.serial_number
    }

    /// The leaf's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The certificates as PEM, leaf first.
    pub fn to_pem(&self) -> String {
        String::new()
    }
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X509Svid({}, serial {})", self.0.id, self.0.serial_number)
    }
}
