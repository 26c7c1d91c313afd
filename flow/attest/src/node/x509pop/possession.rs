//! A certificate and its key: what a node shows, and how it proves it.

use finial_identity::{ForeignChain, KeyKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::message::{self, Bytes, Presentation};
use super::proof::{ProofKey, unserved};
use crate::AttestError;

/// A chain of certificates together with the private key of its leaf: one side of x509pop.
#[derive(Debug)]
pub struct Possession {
    chain: Vec<CertificateDer<'static>>,
    key: ProofKey,
}

impl Possession {
    /// Takes a chain, leaf first, and the key of the leaf: RSA of at least 2048 bits, or EC.
    ///
    /// # Errors
    /// [`AttestError::Evidence`] when they do not belong together, the leaf is not meant for signatures, or something
    /// is malformed or of another kind.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, AttestError> {
        let shown = ForeignChain::from_chain(chain.clone()).map_err(|source| AttestError::Unproven {
            problem: "the certificates cannot be used for x509pop".to_owned(),
            source: Some(Box::new(source)),
        })?;
        if shown.public_key().kind() == KeyKind::Ed25519 {
            return Err(unserved());
        }
        if !shown.has_digital_signature() {
            return Err(evidence("the certificate lacks key usage digitalSignature, which x509pop needs"));
        }
        let key = ProofKey::read(key)
            .ok_or_else(|| evidence("the private key is neither RSA nor EC P-256, P-384 or P-521"))?;
        if key.public_key().as_ref() != Some(shown.public_key()) {
            return Err(evidence("the private key does not belong to the first certificate"));
        }
        Ok(Self { chain, key })
    }

    /// What an attestation begins with.
    pub fn payload(&self) -> Vec<u8> {
        let certificates = self.chain.iter().map(|certificate| Bytes(certificate.to_vec())).collect();
        message::write(&Presentation { certificates })
    }

    /// The proof that a server's challenge asks for.
    ///
    /// # Errors
    /// [`AttestError::Evidence`] when the challenge is malformed, or for a key of another kind.
    pub fn respond(&self, challenge: &[u8]) -> Result<Vec<u8>, AttestError> {
        let challenge = message::read("challenge", challenge)?;
        Ok(message::write(&self.key.answer(&challenge)?))
    }
}

fn evidence(problem: &str) -> AttestError {
    AttestError::Evidence { problem: problem.to_owned() }
}
