//! The proof of possession: a signature over the SHA-256 of both nonces, made and checked.
//!
//! SPIRE hashes with SHA-256 whatever the curve. The library ties each curve to the hash of its own size, so it is given
//! that many bytes: zeros, then the SHA-256. To ECDSA a hash is a number (FIPS 186-5 §6.4.1), and zeros in front do not
//! change it.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaKeyPair, RsaParameters, RsaPssSaltLength, UnparsedPublicKey,
};
use finial_identity::{KeyKind, PublicKey};
use rustls_pki_types::PrivateKeyDer;

use super::message::{Bytes, Challenge, EcdsaProof, Question, Response, RsaProof};
use crate::AttestError;

/// How long each side's nonce is.
const NONCE: usize = 32;

/// RSA-PSS as Go makes it unless told otherwise: with as much salt as there is room for.
const RSA_PSS_MOST_SALT: RsaParameters = RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
/// RSA-PSS as everybody else makes it, and Go in FIPS mode: with as much salt as the hash is long.
const RSA_PSS: RsaParameters = RSA_PSS_2048_8192_SHA256;

/// A curve, and what the library has for it.
pub(super) struct Curve {
    /// The length of r, and of s.
    size: usize,
    hash: &'static digest::Algorithm,
    verification: &'static EcdsaVerificationAlgorithm,
    signing: &'static EcdsaSigningAlgorithm,
}

static P256: Curve = Curve {
    size: 32,
    hash: &digest::SHA256,
    verification: &ECDSA_P256_SHA256_FIXED,
    signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
};
static P384: Curve = Curve {
    size: 48,
    hash: &digest::SHA384,
    verification: &ECDSA_P384_SHA384_FIXED,
    signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
};
static P521: Curve = Curve {
    size: 66,
    hash: &digest::SHA512,
    verification: &ECDSA_P521_SHA512_FIXED,
    signing: &ECDSA_P521_SHA512_FIXED_SIGNING,
};

/// The question for the holder of a key, and how to judge the answer.
pub(super) struct Examination<'a> {
    key: &'a PublicKey,
    nonce: [u8; NONCE],
}

impl<'a> Examination<'a> {
    /// A fresh question for the holder of `key`.
    pub(super) fn of(key: &'a PublicKey) -> Result<Self, AttestError> {
        if matches!(key.kind(), KeyKind::Ed25519) {
            return Err(unserved());
        }
        Ok(Self { key, nonce: fresh_nonce()? })
    }

    pub(super) fn challenge(&self) -> Challenge {
        let question = Some(Question { nonce: Bytes(self.nonce.to_vec()) });
        match self.key.kind() {
            KeyKind::Rsa { .. } => Challenge { rsa_signature: question, ecdsa_signature: None },
            _ => Challenge { rsa_signature: None, ecdsa_signature: question },
        }
    }

    /// Whether the answer proves that whoever gave it holds the key.
    pub(super) fn judge(&self, response: &Response) -> Result<(), AttestError> {
        let is_proven = match (curve(self.key.kind()), response) {
            (None, Response { rsa_signature: Some(proof), .. }) => self.rsa(proof)?,
            (Some(curve), Response { ecdsa_signature: Some(proof), .. }) => self.ecdsa(curve, proof)?,
            _ => {
                return Err(evidence("x509pop response is for a key of another kind than the certificate's"));
            }
        };
        if is_proven { Ok(()) } else { Err(unproven("the signature is not by the certificate's key")) }
    }

    fn rsa(&self, proof: &RsaProof) -> Result<bool, AttestError> {
        let message = joined(&self.nonce, &proof.nonce)?;
        let is_by = |algorithm: &'static RsaParameters| {
            let key = UnparsedPublicKey::new(algorithm, self.key.spki_der());
            key.verify(&message, &proof.signature.0).is_ok()
        };
        Ok(is_by(&RSA_PSS_MOST_SALT) || is_by(&RSA_PSS))
    }

    fn ecdsa(&self, curve: &Curve, proof: &EcdsaProof) -> Result<bool, AttestError> {
        let hash = curve.hash(&joined(&self.nonce, &proof.nonce)?)?;
        let (Some(r), Some(s)) = (fixed(&proof.r.0, curve.size), fixed(&proof.s.0, curve.size)) else {
            return Ok(false);
        };
        let key = UnparsedPublicKey::new(curve.verification, self.key.spki_der());
        Ok(key.verify_digest(&hash, &[r, s].concat()).is_ok())
    }
}

/// A private key that can prove its possession.
pub(super) enum ProofKey {
    Rsa(RsaKeyPair),
    Ecdsa(&'static Curve, EcdsaKeyPair),
}

impl ProofKey {
    /// Reads a key in PKCS#8, PKCS#1 or SEC1 form.
    pub(super) fn read(key: &PrivateKeyDer<'_>) -> Option<Self> {
        let der = key.secret_der();
        let ecdsa = || {
            [&P256, &P384, &P521].into_iter().find_map(|curve| {
                let pair = match key {
                    PrivateKeyDer::Sec1(_) => EcdsaKeyPair::from_private_key_der(curve.signing, der),
                    _ => EcdsaKeyPair::from_pkcs8(curve.signing, der),
                };
                pair.ok().map(|pair| Self::Ecdsa(curve, pair))
            })
        };
        match key {
            PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(der).ok().map(Self::Rsa),
            PrivateKeyDer::Pkcs8(_) => ecdsa().or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Self::Rsa)),
            _ => ecdsa(),
        }
    }

    /// The public half.
    pub(super) fn public_key(&self) -> Option<PublicKey> {
        let spki = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ecdsa(_, pair) => pair.public_key().as_der(),
        };
        PublicKey::from_spki_der(spki.ok()?.as_ref()).ok()
    }

    /// Answers a server's question.
    pub(super) fn answer(&self, challenge: &Challenge) -> Result<Response, AttestError> {
        let nonce = fresh_nonce()?;
        match (self, challenge) {
            (Self::Rsa(pair), Challenge { rsa_signature: Some(question), .. }) => {
                let message = joined_for(&question.nonce, &nonce)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), &message, &mut signature);
                signed.map_err(|_| failed())?;
                let proof = RsaProof { nonce: Bytes(nonce.to_vec()), signature: Bytes(signature) };
                Ok(Response { rsa_signature: Some(proof), ecdsa_signature: None })
            }
            (Self::Ecdsa(curve, pair), Challenge { ecdsa_signature: Some(question), .. }) => {
                let hash = curve.hash(&joined_for(&question.nonce, &nonce)?)?;
                let signature = pair.sign_digest(&hash).map_err(|_| failed())?;
                let (r, s) = signature.as_ref().split_at(curve.size);
                let proof = EcdsaProof { nonce: Bytes(nonce.to_vec()), r: number(r), s: number(s) };
                Ok(Response { rsa_signature: None, ecdsa_signature: Some(proof) })
            }
            _ => Err(evidence("the server asked x509pop for a signature by a key of another kind")),
        }
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(…)")
    }
}

impl Curve {
    /// The SHA-256 of a message, as this curve's library functions take it.
    fn hash(&self, message: &[u8]) -> Result<Digest, AttestError> {
        let hash = digest::digest(&digest::SHA256, message);
        let padded = fixed(hash.as_ref(), self.hash.output_len()).ok_or_else(failed)?;
        Digest::import_less_safe(&padded, self.hash).map_err(|_| failed())
    }
}

fn curve(kind: KeyKind) -> Option<&'static Curve> {
    match kind {
        KeyKind::EcP256 => Some(&P256),
        KeyKind::EcP384 => Some(&P384),
        KeyKind::EcP521 => Some(&P521),
        KeyKind::Rsa { .. } | KeyKind::Ed25519 => None,
    }
}

/// Both nonces in order, the server's first. What is signed is their SHA-256.
fn joined(asked: &[u8; NONCE], answered: &Bytes) -> Result<Vec<u8>, AttestError> {
    if answered.0.len() != NONCE {
        return Err(evidence("x509pop response has a nonce that is not 32 bytes long"));
    }
    Ok([asked.as_slice(), &answered.0].concat())
}

fn joined_for(asked: &Bytes, answering: &[u8; NONCE]) -> Result<Vec<u8>, AttestError> {
    if asked.0.len() != NONCE {
        return Err(evidence("the server's x509pop challenge has a nonce that is not 32 bytes long"));
    }
    Ok([asked.0.as_slice(), answering].concat())
}

/// A number with this many bytes; `None` when it is larger.
fn fixed(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let padding = size.checked_sub(digits.len())?;
    Some([vec![0; padding].as_slice(), digits].concat())
}

/// A number without leading zeros, as Go writes it.
fn number(fixed: &[u8]) -> Bytes {
    Bytes(fixed.iter().copied().skip_while(|byte| *byte == 0).collect())
}

fn fresh_nonce() -> Result<[u8; NONCE], AttestError> {
    let mut nonce = [0; NONCE];
    rand::fill(&mut nonce).map_err(|_| failed())?;
    Ok(nonce)
}

fn evidence(problem: &str) -> AttestError {
    AttestError::Evidence { problem: problem.to_owned() }
}

fn unproven(problem: &str) -> AttestError {
    AttestError::Unproven { problem: problem.to_owned(), source: None }
}

pub(super) fn unserved() -> AttestError {
    evidence("the certificate has an Ed25519 key: x509pop takes RSA, EC P-256, P-384 and P-521")
}

fn failed() -> AttestError {
    AttestError::Cryptography
}
