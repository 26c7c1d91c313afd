//! Certificates of somebody else's PKI: what they say, and whether they lead to authorities that an operator named.

#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::SystemTime};

use aws_lc_rs::digest;
use der::Decode;
use rustls_pki_types::{CertificateDer, ServerName};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath};
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;

use super::{
    CertificateError, RevocationLists, Revoked, X509Authority,
    certificate::CertificateView,
    svid::signers,
    verify::{Anchors, verify_path},
};
use crate::{KeyError, KeyKind, PublicKey, Role, Verified, X509Svid};

/// A chain of certificates, leaf first, of a PKI that need not be SPIFFE's.
///
/// Not an X.509-SVID, and never to be taken for one: the leaf may have any names. That it parses says nothing about
/// who signed it: see [`verify`](Self::verify).
#[derive(Clone, Debug)]
pub struct ForeignChain {
    chain: Vec<CertificateDer<'static>>,
    signers: Vec<CertificateDer<'static>>,
    public_keys: Vec<PublicKey>,
    not_after: SystemTime,
    common_name: Option<String>,
    organizational_units: Vec<String>,
    serial_number: Vec<u8>,
    dns_names: Vec<String>,
    uri_names: Vec<String>,
    ip_names: Vec<IpAddr>,
    has_digital_signature: bool,
}

impl ForeignChain {
    /// Takes a chain, leaf first. No signature is looked at, so that whoever wants fewer or smaller keys can refuse the
    /// chain before any costs time.
    ///
    /// # Errors
    /// [`ForeignChainError`] when there are none or too many certificates ([`X509Svid::MAX_CHAIN`]), or one is
    /// malformed or has a key of a kind not in [`KeyKind`].
    pub fn from_chain(chain: Vec<CertificateDer<'static>>) -> Result<Self, ForeignChainError> {
        let (leaf_der, above) = chain.split_first().ok_or(ForeignChainError::Empty)?;
        if chain.len() > X509Svid::MAX_CHAIN {
            return Err(ForeignChainError::TooLong(chain.len()));
        }
        let mut public_keys = Vec::new();
        for certificate in &chain {
            let view = CertificateView::parse(certificate).map_err(ForeignChainError::Certificate)?;
            public_keys.push(PublicKey::from_spki_der(&view.spki).map_err(ForeignChainError::PublicKey)?);
        }
        let leaf = CertificateView::parse(leaf_der).map_err(ForeignChainError::Certificate)?;
        let names = leaf.subject_alt_names.as_deref().unwrap_or_default();
        Ok(Self {
            signers: signers(above).map_err(ForeignChainError::Certificate)?,
            public_keys,
            not_after: leaf.not_after,
            common_name: leaf.common_name,
            organizational_units: leaf.organizational_units,
            serial_number: leaf.serial_number,
            dns_names: names.iter().filter_map(dns).collect(),
            uri_names: names.iter().filter_map(uri).collect(),
            ip_names: names.iter().filter_map(ip).collect(),
            has_digital_signature: leaf.key_usage.is_some_and(|usage| usage.digital_signature()),
            chain,
        })
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The leaf's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_keys[0]
    }

    /// The largest RSA modulus in the chain, in bits; 0 when it has none.
    pub fn largest_rsa_key(&self) -> u32 {
        let bits = |key: &PublicKey| if let KeyKind::Rsa { bits } = key.kind() { bits } else { 0 };
        self.public_keys.iter().map(bits).max().unwrap_or_default()
    }

    /// The last common name of the leaf's subject, as Go takes it.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The organizational units of the leaf's subject, in its order.
    pub fn organizational_units(&self) -> &[String] {
        &self.organizational_units
    }

    /// The leaf's subject as RFC 4514 writes names, the last part first, for people: `CN=web,O=Example`.
    pub fn subject(&self) -> String {
        let leaf = Certificate::from_der(&self.chain[0]);
        leaf.map(|leaf| leaf.tbs_certificate().subject().to_string()).unwrap_or_default()
    }

    /// The end of the leaf's validity, inclusive.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The leaf's serial number in lower-case hex, without a leading zero byte.
    pub fn serial_number_hex(&self) -> String {
        let digits = self.serial_number.iter().skip_while(|byte| **byte == 0).copied();
        let digits: Vec<u8> = digits.collect();
        if digits.is_empty() { "00".to_owned() } else { hex::encode(digits) }
    }

    /// The DNS names of the leaf, in its order and case.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The URI names of the leaf, in its order.
    pub fn uri_names(&self) -> &[String] {
        &self.uri_names
    }

    /// The IP addresses of the leaf, in its order.
    pub fn ip_names(&self) -> &[IpAddr] {
        &self.ip_names
    }

    /// Whether the leaf's key is meant for signatures (key usage digitalSignature).
    pub fn has_digital_signature(&self) -> bool {
        self.has_digital_signature
    }

    /// The SHA-1 of the leaf in lower-case hex, which names it as OpenSSL and SPIRE do.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.chain[0])
    }

    /// Verifies at this time that the chain leads to one of `authorities`, and gives the fingerprints (SHA-1 in
    /// lower-case hex) of the certificates above the leaf on that path, authority last.
    ///
    /// Any extended key usage will do. Otherwise as for [`X509Svid::verify`]: a leaf that is itself an authority is
    /// refused, and what has expired or may not sign certificates does not anchor.
    ///
    /// # Errors
    /// Why there is no valid path.
    pub fn verify(
        &self,
        authorities: &[X509Authority],
        at: SystemTime,
    ) -> Result<Vec<String>, ForeignChainError> {
        let anchors = Anchors::at(authorities, at);
        let fingerprints = |path: &VerifiedPath<'_>| {
            let above = path.intermediate_certificates().map(|certificate| fingerprint(&certificate.der()));
            above.chain(anchors.ends_of(path).map(|end| fingerprint(end.certificate()))).collect()
        };
        verify_path(&self.chain[0], &self.signers, &anchors, at, AnyUsage, fingerprints)
            .map_err(ForeignChainError::of_path)
    }

    /// Verifies at this time that the chain leads to one of `authorities`, and that its leaf may be presented in this
    /// role of a TLS handshake, and that none of it is in a list of its issuer. Otherwise as [`verify`](Self::verify).
    ///
    /// # Errors
    /// Why there is no valid path; [`ForeignChainError::Revoked`].
    pub fn verify_for(
        &self,
        role: Role,
        authorities: &[X509Authority],
        revoked: &RevocationLists,
        at: SystemTime,
    ) -> Result<Verified<Self>, ForeignChainError> {
        let anchors = Anchors::at(authorities, at);
        let unrevoked = |path: &VerifiedPath<'_>| revoked.check(path, &anchors, at);
        verify_path(&self.chain[0], &self.signers, &anchors, at, role, unrevoked)
            .map_err(ForeignChainError::of_path)?
            .map_err(ForeignChainError::Revoked)?;
        Ok(Verified::new(self.clone()))
    }

    /// Whether the leaf is for a server of this name: by a DNS or IP name (RFC 9525), never by its common name.
    pub fn is_for(&self, name: &ServerName<'_>) -> bool {
        EndEntityCert::try_from(&self.chain[0])
            .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(name).is_ok())
    }
}

/// Why certificates of somebody else's PKI are refused.
#[derive(Debug, thiserror::Error)]
pub enum ForeignChainError {
    /// There is no certificate.
    #[error("there is no certificate; give at least the leaf")]
    Empty,
    /// There are more than [`X509Svid::MAX_CHAIN`] certificates; holds how many.
    #[error("there are {0} certificates; at most 16 are allowed")]
    TooLong(usize),
    /// A certificate is malformed.
    #[error("one of the certificates is bad")]
    Certificate(#[source] CertificateError),
    /// The key of a certificate cannot be used.
    #[error("one of the certificates has an unusable public key")]
    PublicKey(#[source] KeyError),
    /// The leaf, or what stands above it on the path, is past its time.
    #[error("the certificate, or one above it, has expired")]
    Expired,
    /// The leaf, or what stands above it on the path, is before its time.
    #[error("the certificate, or one above it, is not valid yet")]
    NotYetValid,
    /// No path leads to an authority.
    #[error("the certificate does not lead to a trusted authority")]
    Path(#[source] webpki::Error),
    /// A list of revoked certificates refuses the chain.
    #[error("the certificate, or one above it, is refused by a revocation list")]
    Revoked(#[source] Revoked),
}

impl ForeignChainError {
    fn of_path(error: webpki::Error) -> Self {
        match error {
            webpki::Error::CertExpired { .. } => Self::Expired,
            webpki::Error::CertNotValidYet { .. } => Self::NotYetValid,
            error => Self::Path(error),
        }
    }
}

/// What a certificate is for does not matter.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// The SHA-1 of a certificate in lower-case hex. It names it, and proves nothing.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate))
}

fn dns(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(dns) => Some(dns.as_str().to_owned()),
        _ => None,
    }
}

fn uri(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    }
}

fn ip(name: &GeneralName) -> Option<IpAddr> {
    let GeneralName::IpAddress(octets) = name else { return None };
    let octets = octets.as_bytes();
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
