//! The authorities of another PKI, in files that may change while the server runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use finial_identity::X509Authority;

use super::evidence::{certificates, unusable};
use crate::AttestError;

/// PEM files of authorities, read for each attestation.
#[derive(Debug)]
pub(super) struct AuthorityFiles {
    paths: Arc<[PathBuf]>,
    /// What was read last; goes on when a file cannot be read.
    held: Mutex<Arc<[X509Authority]>>,
}

impl AuthorityFiles {
    pub(super) fn open(paths: Vec<PathBuf>) -> Result<Self, AttestError> {
        let held = Mutex::new(read(&paths)?);
        Ok(Self { paths: paths.into(), held })
    }

    pub(super) async fn current(&self) -> Arc<[X509Authority]> {
        let paths = Arc::clone(&self.paths);
        let read = tokio::task::spawn_blocking(move || read(&paths)).await;
        match read.map_err(|source| AttestError::Aborted { source }).flatten() {
            Ok(authorities) => self.held(|held| *held = authorities),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the authorities for x509pop cannot be read; those read before count");
                self.held(|_| ())
            }
        }
    }

    fn held(&self, change: impl FnOnce(&mut Arc<[X509Authority]>)) -> Arc<[X509Authority]> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut held);
        Arc::clone(&held)
    }
}

fn read(paths: &[PathBuf]) -> Result<Arc<[X509Authority]>, AttestError> {
    let mut authorities = Vec::new();
    for path in paths {
        for certificate in certificates(path)? {
            let authority = X509Authority::parse_der(certificate.to_vec());
            authorities.push(
                authority.map_err(|error| unusable(path, format!("one of its certificates: {error}")))?,
            );
        }
    }
    Ok(authorities.into())
}
