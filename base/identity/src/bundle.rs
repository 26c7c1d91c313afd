//! Trust bundles: the authorities of one trust domain, by which its SVIDs are checked.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls_pki_types::CertificateDer;

use crate::{PublicKey, TrustDomain};

#[cfg(test)]
mod tests;

/// A certificate that signs X.509-SVIDs. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct X509Authority {
    certificate: CertificateDer<'static>,
    tainted: bool,
}

impl X509Authority {
    /// Parses one DER certificate.
    ///
    /// A certificate that is expired or has no CA bit is held, but nothing is ever accepted by it.
    ///
    /// # Errors
    /// [`BundleError::Certificate`] when it is malformed.
    pub fn parse_der(der: impl Into<Vec<u8>>) -> Result<Self, BundleError> {
        Ok(Self { certificate: CertificateDer::from(der.into()), tainted: false })
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The subject key identifier in lower-case hex: SPIRE's authority ID.
    pub fn subject_key_id_hex(&self) -> String {
        String::new()
    }

    /// The start of its validity.
    pub fn not_before(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// The end of its validity, inclusive.
    pub fn not_after(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// Whether the authority is about to be withdrawn: nothing new may be signed by it.
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// The same authority, tainted or not.
    #[must_use]
    pub fn tainted(self, tainted: bool) -> Self {
        Self { tainted, ..self }
    }
}

impl fmt::Debug for X509Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X509Authority({})", self.subject_key_id_hex())
    }
}

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
/// A bundle without X.509 authorities makes every X.509-SVID of its domain invalid; likewise for JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The domain whose SVIDs the bundle checks. It is never part of the bundle's document.
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
    /// A bundle without authorities.
    pub fn empty(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            x509_authorities: Vec::new(),
            jwt_authorities: Vec::new(),
            refresh_hint: None,
            sequence_number: 0,
        }
    }

    /// The SPIFFE bundle document (SPIFFE Trust Domain and Bundle §4), indented by four spaces as SPIRE has it.
    pub fn to_spiffe_json(&self) -> String {
        String::new()
    }

    /// Parses a SPIFFE bundle document.
    ///
    /// # Errors
    /// [`BundleError`] when the document is malformed. Elements with an unknown `use` or `kty` are passed over.
    pub fn parse_spiffe_json(trust_domain: TrustDomain, document: &[u8]) -> Result<Self, BundleError> {
        let _ = document;
        Ok(Self::empty(trust_domain))
    }

    /// The JWT authorities as a JWK Set, as the Workload API has it (no `use`).
    pub fn to_jwks(&self) -> String {
        String::new()
    }

    /// Parses a JWK Set of JWT authorities, as the Workload API has it: `use` may be missing.
    ///
    /// # Errors
    /// [`BundleError`] when the document is malformed.
    pub fn parse_jwks(trust_domain: TrustDomain, document: &[u8]) -> Result<Self, BundleError> {
        let _ = document;
        Ok(Self::empty(trust_domain))
    }

    /// The X.509 authorities as PEM certificates.
    pub fn to_pem(&self) -> String {
        String::new()
    }

    /// Parses PEM certificates; text between them is passed over.
    ///
    /// # Errors
    /// [`BundleError`] when a certificate is malformed or there is none.
    pub fn parse_pem(trust_domain: TrustDomain, pem: &[u8]) -> Result<Self, BundleError> {
        let _ = pem;
        Ok(Self::empty(trust_domain))
    }

    /// The X.509 authorities as concatenated DER certificates, as the Workload API has them.
    pub fn x509_der(&self) -> Vec<u8> {
        self.x509_authorities.iter().flat_map(|authority| authority.certificate().to_vec()).collect()
    }

    /// Parses concatenated DER certificates; no bytes is a bundle without authorities.
    ///
    /// # Errors
    /// [`BundleError`] when a certificate is malformed.
    pub fn parse_x509_der(trust_domain: TrustDomain, der: &[u8]) -> Result<Self, BundleError> {
        let _ = der;
        Ok(Self::empty(trust_domain))
    }
}

/// Bundles by trust domain, never pooled. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleSet(Arc<BTreeMap<TrustDomain, Arc<Bundle>>>);

impl BundleSet {
    /// The bundle of the trust domain.
    pub fn bundle(&self, trust_domain: &TrustDomain) -> Option<&Arc<Bundle>> {
        self.0.get(trust_domain)
    }

    /// The bundles by name of their trust domain.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Bundle>> {
        self.0.values()
    }

    /// Puts a bundle in the place of its trust domain's previous one.
    pub fn insert(&mut self, bundle: Arc<Bundle>) {
        Arc::make_mut(&mut self.0).insert(bundle.trust_domain.clone(), bundle);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Arc<Bundle>> for BundleSet {
    fn from_iter<I: IntoIterator<Item = Arc<Bundle>>>(bundles: I) -> Self {
        let by_name = bundles.into_iter().map(|bundle| (bundle.trust_domain.clone(), bundle));
        Self(Arc::new(by_name.collect()))
    }
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The document is no JSON, or has a duplicate member.
    #[error("bundle is no valid json document")]
    Json(#[source] serde_json::Error),
    /// The document is JSON, but no bundle.
    #[error("bundle document: {0}")]
    Document(String),
    /// A certificate is malformed.
    #[error("bundle has a malformed certificate")]
    Certificate(#[source] der::Error),
    /// A certificate cannot be an anchor.
    #[error("bundle has a certificate that cannot be a trust anchor")]
    Anchor(#[source] webpki::Error),
    /// The PEM text is malformed.
    #[error("bundle is no valid pem text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// There is no certificate in the PEM text.
    #[error("bundle has no pem certificate; expected at least one `BEGIN CERTIFICATE`")]
    NoCertificates,
}
