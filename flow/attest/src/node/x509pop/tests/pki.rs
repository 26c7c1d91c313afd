//! A PKI that knows nothing of SPIFFE, with nodes in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use finial_daemon::{Clock, Tasks};
use finial_identity::{Bundle, TrustDomain};
use finial_store::{Bundles, Index, SqliteStore};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256,
    SanType, SignatureAlgorithm, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use crate::NodeAttestor;
use crate::node::x509pop::{X509PopAttestor, X509PopConfig, X509PopFiles, X509PopMode};

/// 2027-01-15, when all that is made here is valid.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(super) fn clock() -> Clock {
    Clock::manual(now()).0
}

pub(super) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(super) fn sha1(certificate: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate))
}

/// What a server holds in memory when these bundles are in its store.
pub(super) async fn index(bundles: &[Bundle]) -> Index {
    let store = SqliteStore::in_memory().await.unwrap();
    for bundle in bundles {
        store.put_bundle(bundle.clone()).await.unwrap();
    }
    let clock = clock();
    let tasks = Tasks::new(clock.clone());
    Index::start(Arc::new(store), &clock, &tasks).await.unwrap()
}

pub(super) struct Key(pub(super) KeyPair);

impl Key {
    fn generate(algorithm: &'static SignatureAlgorithm) -> Self {
        Self(KeyPair::generate_for(algorithm).unwrap())
    }

    pub(super) fn p256() -> Self {
        Self::generate(&PKCS_ECDSA_P256_SHA256)
    }

    pub(super) fn p384() -> Self {
        Self::generate(&PKCS_ECDSA_P384_SHA384)
    }

    pub(super) fn p521() -> Self {
        Self::generate(&PKCS_ECDSA_P521_SHA512)
    }

    pub(super) fn rsa() -> Self {
        Self::generate(&PKCS_RSA_SHA256)
    }

    pub(super) fn ed25519() -> Self {
        Self::generate(&PKCS_ED25519)
    }

    pub(super) fn pkcs8(&self) -> Vec<u8> {
        self.0.serialize_der()
    }
}

/// A root, an intermediate below it, and a folder for files.
pub(super) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Pki {
    pub(super) fn new() -> Self {
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let intermediate = CertifiedIssuer::signed_by(authority("intermediate"), key(), &root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Self { root, intermediate, folder }
    }

    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(super) fn intermediate(&self) -> CertificateDer<'static> {
        self.intermediate.der().clone()
    }

    pub(super) fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.intermediate
    }

    pub(super) fn sign(&self, params: &CertificateParams, key: &Key) -> CertificateDer<'static> {
        params.signed_by(&key.0, &self.intermediate).unwrap().der().clone()
    }

    /// One more authority between the intermediate and a leaf.
    pub(super) fn sign_authority(&self, name: &str) -> CertificateDer<'static> {
        authority(name).signed_by(&KeyPair::generate().unwrap(), &self.intermediate).unwrap().der().clone()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a node: certificate, intermediate and key, each in a file of its own.
    pub(super) fn node_files(&self) -> X509PopFiles {
        let key = Key::p256();
        let leaf = node_certificate().signed_by(&key.0, &self.intermediate).unwrap();
        std::fs::write(self.path("node.pem"), leaf.pem()).unwrap();
        std::fs::write(self.path("intermediate.pem"), self.intermediate.pem()).unwrap();
        std::fs::write(self.path("node.key"), key.0.serialize_pem()).unwrap();
        X509PopFiles {
            private_key_path: self.path("node.key"),
            certificate_path: self.path("node.pem"),
            intermediates_path: Some(self.path("intermediate.pem")),
        }
    }

    pub(super) fn config(&self) -> X509PopConfig {
        X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths: vec![self.path("ca.pem")] })
    }

    pub(super) async fn attestor(&self, config: X509PopConfig) -> Arc<dyn NodeAttestor> {
        attestor(config, &[]).await
    }
}

pub(super) async fn attestor(config: X509PopConfig, bundles: &[Bundle]) -> Arc<dyn NodeAttestor> {
    let index = index(bundles).await;
    Arc::new(X509PopAttestor::new(trust_domain(), config, &index, clock()).unwrap())
}

/// The certificate of a node, with every name that x509pop reads.
pub(super) fn node_certificate() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2027, 1, 1);
    params.not_after = date_time_ymd(2027, 2, 1);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "node 7");
    params.serial_number = Some(vec![0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x7f].into());
    let uri = |uri: &str| SanType::URI(uri.try_into().unwrap());
    params.subject_alt_names = vec![
        uri("x509pop://example.org/datacenter/us-east-1"),
        uri("x509pop://example.org/rack/7/b"),
        SanType::IpAddress("10.0.0.7".parse().unwrap()),
        SanType::IpAddress("fd00::7".parse().unwrap()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2028, 1, 1);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
