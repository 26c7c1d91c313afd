//! A certificate authority for tests.

use std::time::{Duration, SystemTime};

use finial_identity::{KeyKind, PublicKey, SpiffeId, X509Authority, X509Svid};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm,
};

use super::{start_of_time, trust_domain};

/// An authority of the test's trust domain, good for ten years.
#[derive(Debug)]
pub(in crate::agent) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: X509Authority,
}

impl Authority {
    pub(in crate::agent) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(start_of_time() - 10 * YEAR, start_of_time() + 10 * YEAR);
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![uri(trust_domain().id().as_str())];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let certificate = X509Authority::parse_der(certificate).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(in crate::agent) fn certificate(&self) -> X509Authority {
        self.certificate.clone()
    }

    /// An SVID for this key.
    pub(in crate::agent) fn issue(
        &self,
        id: &SpiffeId,
        key: &PublicKey,
        not_before: SystemTime,
        not_after: SystemTime,
    ) -> X509Svid {
        let mut params = params(not_before, not_after);
        params.subject_alt_names = vec![uri(id.as_str())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&Point::of(key), &self.issuer).unwrap();
        X509Svid::from_chain(vec![certificate.der().clone()]).unwrap()
    }
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn params(not_before: SystemTime, not_after: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = not_before.into();
    params.not_after = not_after.into();
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// A key as rcgen takes it: the bits behind the header of its SubjectPublicKeyInfo.
struct Point(Vec<u8>, &'static SignatureAlgorithm);

impl Point {
    fn of(key: &PublicKey) -> Self {
        let (bytes, algorithm) = match key.kind() {
            KeyKind::EcP384 => (97, &rcgen::PKCS_ECDSA_P384_SHA384),
            _ => (65, &rcgen::PKCS_ECDSA_P256_SHA256),
        };
        let spki = key.spki_der();
        Self(spki[spki.len() - bytes..].to_vec(), algorithm)
    }
}

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.1
    }
}
