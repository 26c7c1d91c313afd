//! A certificate authority, and keys of every kind, for this crate's own tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::{Bundle, BundleSet, TrustDomain, X509Authority};

/// 2026-06-15, when all that is made here is valid.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_781_481_600)
}

pub(crate) fn td(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// A leaf as SPIRE makes it, with these names.
pub(crate) fn leaf(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2026, 6, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "SPIRE");
    params.subject_alt_names = names;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyAgreement,
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A signing certificate of this name, as SPIRE makes it.
pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = leaf(vec![]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![];
    params.use_authority_key_identifier_extension = false;
    params
}

/// A certificate authority, self-signed or not, that signs what it is told to.
pub(crate) struct TestCa(CertifiedIssuer<'static, KeyPair>);

impl TestCa {
    pub(crate) fn root(name: &str) -> Self {
        Self::of(authority(name))
    }

    pub(crate) fn of(params: CertificateParams) -> Self {
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// One that has this key, on P-256 and in PKCS#8.
    pub(crate) fn with_key(params: CertificateParams, key: &[u8]) -> Self {
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key.to_vec().into(), &rcgen::PKCS_ECDSA_P256_SHA256);
        Self(CertifiedIssuer::self_signed(params, key.unwrap()).unwrap())
    }

    pub(crate) fn intermediate(&self, params: CertificateParams) -> Self {
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn x509_authority(&self) -> X509Authority {
        X509Authority::parse_der(self.der().to_vec()).unwrap()
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        self.sign_key(params, &KeyPair::generate().unwrap())
    }

    pub(crate) fn sign_key(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        params.signed_by(key, &self.0).unwrap().der().clone()
    }

    pub(crate) fn revoke(
        &self,
        list: &CertificateRevocationListParams,
    ) -> CertificateRevocationListDer<'static> {
        list.signed_by(&self.0).unwrap().der().clone()
    }

    /// The set of one bundle, of this trust domain, with this authority.
    pub(crate) fn bundles(&self, trust_domain: &str) -> BundleSet {
        bundles(trust_domain, [self.x509_authority()])
    }
}

pub(crate) fn bundles(trust_domain: &str, authorities: impl IntoIterator<Item = X509Authority>) -> BundleSet {
    let mut bundle = Bundle::empty(td(trust_domain));
    bundle.x509_authorities.extend(authorities);
    [Arc::new(bundle)].into_iter().collect()
}
