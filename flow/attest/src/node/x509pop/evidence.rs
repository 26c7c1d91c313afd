//! The agent's half for a certificate in files.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{KIND, Possession};
use crate::{AttestError, NodeEvidenceSource};

/// Where the certificate of a node lies, and its key. All of it is PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509PopFiles {
    /// The key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub private_key_path: PathBuf,
    /// The certificate, and after it any that lead to the authority.
    pub certificate_path: PathBuf,
    /// More of those, to follow the ones in `certificate_path`.
    pub intermediates_path: Option<PathBuf>,
}

/// Shows a certificate from files, which are read for each attestation: a renewed one is used at once.
#[derive(Debug)]
pub struct X509PopEvidence {
    files: X509PopFiles,
    shown: Option<Possession>,
}

impl X509PopEvidence {
    /// Evidence from these files; none is read yet.
    pub fn new(files: X509PopFiles) -> Self {
        Self { files, shown: None }
    }
}

#[async_trait]
impl NodeEvidenceSource for X509PopEvidence {
    fn kind(&self) -> &str {
        KIND
    }

    async fn payload(&mut self) -> Result<Vec<u8>, AttestError> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || files.read()).await;
        let possession = read.map_err(|source| AttestError::Aborted { source })??;
        Ok(self.shown.insert(possession).payload())
    }

    async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, AttestError> {
        let unasked =
            || AttestError::Evidence { problem: "the server's challenge came too early".to_owned() };
        self.shown.as_ref().ok_or_else(unasked)?.respond(challenge)
    }
}

impl X509PopFiles {
    fn read(&self) -> Result<Possession, AttestError> {
        let key = Zeroizing::new(read(&self.private_key_path)?);
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
            unusable(&self.private_key_path, format!("it holds no private key in PEM ({error})"))
        })?;
        let mut chain = certificates(&self.certificate_path)?;
        if let Some(path) = &self.intermediates_path {
            chain.extend(certificates(path)?);
        }
        Possession::new(chain, &key)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AttestError> {
    std::fs::read(path).map_err(|source| AttestError::File { path: path.to_owned(), source })
}

/// The certificates of a PEM file, of which there is at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AttestError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let certificates =
        certificates.map_err(|error| unusable(path, format!("it is no valid PEM ({error})")))?;
    if certificates.is_empty() {
        return Err(unusable(path, "it holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

pub(super) fn unusable(path: &Path, problem: String) -> AttestError {
    AttestError::File { path: path.to_owned(), source: io::Error::new(io::ErrorKind::InvalidData, problem) }
}
