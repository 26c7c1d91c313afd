//! What lets the agent in at the kubelet, read from files that others replace while it runs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use finial_daemon::Clock;
use http::HeaderValue;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::verifier::NamelessVerifier;
use crate::config::{Credentials, KubeletPort, Verification};
use crate::error::K8sError;

/// The most that one file may hold, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// How a connection is secured, and what is said on it.
pub(super) struct Access {
    /// None on the read-only port.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) authorization: Option<HeaderValue>,
}

impl Access {
    /// Reads the files. `by_name` says whether the kubelet's certificate must name its host.
    pub(super) async fn load(port: &KubeletPort, by_name: bool, clock: &Clock) -> Result<Self, K8sError> {
        let KubeletPort::Secure { verification, credentials, .. } = port else {
            return Ok(Self { tls: None, authorization: None });
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock.clone())))
            .with_safe_default_protocol_versions()
            .map_err(K8sError::ClientCertificate)?;
        let builder = match (verification, by_name) {
            (Verification::Ca(path), true) => builder.with_root_certificates(roots(path).await?),
            (Verification::Ca(path), false) => {
                custom(builder, NamelessVerifier::with_roots(roots(path).await?))
            }
            (Verification::Skipped, _) => custom(builder, NamelessVerifier::without_roots()),
        };
        let mut authorization = None;
        let mut tls = match credentials {
            Credentials::Anonymous => builder.with_no_client_auth(),
            Credentials::Token(path) => {
                authorization = Some(bearer(path).await?);
                builder.with_no_client_auth()
            }
            Credentials::Certificate { certificate, key } => {
                let (chain, key) = (chain(certificate).await?, private_key(key).await?);
                builder.with_client_auth_cert(chain, key).map_err(K8sError::ClientCertificate)?
            }
        };
        // A resumed session would skip the verifier, after the authority was replaced.
        tls.resumption = Resumption::disabled();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Some(Arc::new(tls)), authorization })
    }
}

type Builder<State> = rustls::ConfigBuilder<ClientConfig, State>;

fn custom(
    builder: Builder<rustls::WantsVerifier>,
    verifier: NamelessVerifier,
) -> Builder<rustls::client::WantsClientCert> {
    builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
}

async fn roots(path: &Path) -> Result<RootCertStore, K8sError> {
    let mut roots = RootCertStore::empty();
    // A kubelet that made its own certificate has it beside its authority's in one file: only the latter anchors.
    roots.add_parsable_certificates(certificates("kubelet_ca_path", path).await?);
    Ok(roots)
}

async fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, K8sError> {
    certificates("certificate_path", path).await
}

async fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, K8sError> {
    let text = read(key, path).await?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(fault(key, path, "there is no certificate in it")),
        Err(error) => Err(fault(key, path, error)),
    }
}

async fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, K8sError> {
    let text = read("private_key_path", path).await?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| fault("private_key_path", path, error))
}

/// `Bearer <token>` (RFC 6750 §2.1), hidden from logs.
async fn bearer(path: &Path) -> Result<HeaderValue, K8sError> {
    let text = read("token_path", path).await?;
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(fault("token_path", path, "there is no token in it"));
    }
    let bytes = Zeroizing::new([b"Bearer ", token].concat());
    let header = HeaderValue::from_bytes(&bytes);
    let mut header = header.map_err(|_| fault("token_path", path, "it is no token"))?;
    header.set_sensitive(true);
    Ok(header)
}

async fn read(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, K8sError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let filled = async { File::open(path).await?.take(FILE_LIMIT + 1).read_to_end(&mut bytes).await };
    filled.await.map_err(|source| K8sError::File { key, path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(fault(key, path, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn fault(
    key: &'static str,
    path: &Path,
    problem: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> K8sError {
    let source = io::Error::new(io::ErrorKind::InvalidData, problem);
    K8sError::File { key, path: path.to_owned(), source }
}

/// The time of our clock, as rustls asks for it.
#[derive(Debug)]
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
