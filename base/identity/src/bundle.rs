//! Trust bundles: the authorities of one trust domain, by which its SVIDs are checked.

use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{
    PublicKey, TrustDomain, pem,
    x509::{X509Authority, split_der},
};

mod error;
mod jwk;
mod jwks;
mod set;
mod spiffe_document;
#[cfg(test)]
mod tests;

pub use error::BundleError;
pub use set::BundleSet;

/// A key that signs JWT-SVIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtAuthority {
    /// The key's ID, unique in its bundle: SPIRE's authority ID.
    pub key_id: String,
    /// The key.
    pub public_key: PublicKey,
    /// When the authority ends, if known: it is not part of the SPIFFE bundle document.
    pub expires_at: Option<SystemTime>,
    /// Whether the authority is about to be withdrawn: nothing new may be signed by it.
    pub tainted: bool,
}

/// The authorities of one trust domain (SPIFFE Trust Domain and Bundle §4).
///
/// A bundle without X.509 authorities makes every X.509-SVID of its domain invalid; likewise for JWT (§4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The domain whose SVIDs the bundle checks. It is never part of the bundle's document (§3).
    pub trust_domain: TrustDomain,
    /// The certificates that sign X.509-SVIDs.
    pub x509_authorities: Vec<X509Authority>,
    /// The keys that sign JWT-SVIDs.
    pub jwt_authorities: Vec<JwtAuthority>,
    /// How often consumers should ask for a newer bundle; a whole number of seconds on the wire.
    pub refresh_hint: Option<Duration>,
    /// Grows with each change of the content; 0 when unknown.
    pub sequence_number: u64,
}

impl Bundle {
    /// A bundle without authorities: nothing of its trust domain is valid.
    pub fn empty(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            x509_authorities: Vec::new(),
            jwt_authorities: Vec::new(),
            refresh_hint: None,
            sequence_number: 0,
        }
    }

    /// The X.509 authorities as PEM certificates.
    pub fn to_pem(&self) -> String {
        self.x509_authorities.iter().map(|authority| pem::certificate(authority.certificate())).collect()
    }

    /// Parses PEM certificates; text between them and other PEM sections are passed over.
    ///
    /// # Errors
    /// [`BundleError`] when a certificate is malformed or there is none.
    pub fn parse_pem(trust_domain: TrustDomain, text: &[u8]) -> Result<Self, BundleError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        let certificates = certificates.map_err(BundleError::Pem)?;
        if certificates.is_empty() {
            return Err(BundleError::NoCertificates);
        }
        Self::of_certificates(trust_domain, certificates)
    }

    /// The X.509 authorities as concatenated DER certificates, as the Workload API has them.
    pub fn x509_der(&self) -> Vec<u8> {
        self.x509_authorities.iter().flat_map(|authority| authority.certificate().iter().copied()).collect()
    }

    /// Parses concatenated DER certificates; no bytes are a bundle without authorities.
    ///
    /// # Errors
    /// [`BundleError`] when a certificate is malformed.
    pub fn parse_x509_der(trust_domain: TrustDomain, der: &[u8]) -> Result<Self, BundleError> {
        Self::of_certificates(trust_domain, split_der(der).map_err(BundleError::Certificate)?)
    }

    fn of_certificates(
        trust_domain: TrustDomain,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, BundleError> {
        let mut bundle = Self::empty(trust_domain);
        for certificate in certificates {
            bundle.add_x509(certificate.to_vec())?;
        }
        Ok(bundle)
    }

    /// Adds a certificate, unless it is already there: a bundle is the union of its entries (X509-SVID §6.2).
    fn add_x509(&mut self, der: Vec<u8>) -> Result<(), BundleError> {
        let authority = X509Authority::parse_der(der).map_err(BundleError::Certificate)?;
        if !self.x509_authorities.contains(&authority) {
            self.x509_authorities.push(authority);
        }
        Ok(())
    }
}
