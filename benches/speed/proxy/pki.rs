//! The certificates of one run: a root, the pair of whatever is measured, and the pair of its callers; all P-256.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;

/// What the certificate of the caller says.
pub(super) const CALLER: &str = "spiffe://example.org/caller";

pub(super) struct Pki {
    folder: TempDir,
    roots: Arc<RootCertStore>,
    caller: (rcgen::Certificate, KeyPair),
}

/// How caller and server agree on the secret of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyExchange {
    /// X25519MLKEM768, which a quantum computer does not break.
    Hybrid,
    /// X25519.
    Classical,
}

impl Pki {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params("spiffe://example.org");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let server = leaf("spiffe://example.org/server", &issuer);
        let caller = leaf(CALLER, &issuer);
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let pki = Self { folder: TempDir::new().unwrap(), roots: Arc::new(roots), caller };
        pki.write("ca.pem", &root.pem());
        pki.write("server.pem", &server.0.pem());
        pki.write("server.key", &server.1.serialize_pem());
        // For programs that want both in one file.
        pki.write("pair.pem", &(server.0.pem() + &server.1.serialize_pem()));
        pki
    }

    /// Where a file of this name is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the certificates.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A caller who speaks TLS 1.3 with one suite and one group, so that all are asked for the same, and who resumes
    /// nothing.
    pub(super) fn caller(&self, exchange: KeyExchange) -> Arc<ClientConfig> {
        let provider = CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![exchange.group()],
            ..default_provider()
        };
        let key = PrivatePkcs8KeyDer::from(self.caller.1.serialized_der().to_vec());
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(vec![self.caller.0.der().clone()], key.into())
            .unwrap();
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }
}

impl KeyExchange {
    fn group(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::Hybrid => kx_group::X25519MLKEM768,
            Self::Classical => kx_group::X25519,
        }
    }
}

fn leaf(id: &str, issuer: &Issuer<'_, KeyPair>) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = params(id);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
    (params.signed_by(&key, issuer).unwrap(), key)
}

fn params(id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    // OpenSSL takes a leaf that is called like its issuer for a root.
    params.distinguished_name.push(DnType::CommonName, id);
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params
}
