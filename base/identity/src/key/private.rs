//! Private keys held in this process.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::{KeyError, KeyKind, PublicKey};

/// A private key, zeroed when its last clone is dropped. Cloning is cheap.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    pkcs8: Zeroizing<Vec<u8>>,
    /// Read once: reading checks the key, which costs more than a signature.
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

const CURVES: [&EcdsaSigningAlgorithm; 3] =
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];

impl PrivateKey {
    /// Makes a new key: P-256, P-384, or RSA of 2048, 3072 or 4096 bits. RSA takes a thousand times as long as a curve.
    ///
    /// # Errors
    /// [`KeyError::CannotGenerate`] for other kinds.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        match kind {
            KeyKind::EcP256 => Self::generate_ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::EcP384 => Self::generate_ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyKind::Rsa { bits: 2048 } => Self::generate_rsa(KeySize::Rsa2048),
            KeyKind::Rsa { bits: 3072 } => Self::generate_rsa(KeySize::Rsa3072),
            KeyKind::Rsa { bits: 4096 } => Self::generate_rsa(KeySize::Rsa4096),
            other => Err(KeyError::CannotGenerate(other)),
        }
    }

    fn generate_ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| KeyError::Generate)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        Self::of_pair(Pair::Ecdsa(pair), pkcs8.as_ref())
    }

    fn generate_rsa(size: KeySize) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::Generate)?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generate)?;
        Self::of_pair(Pair::Rsa(pair), pkcs8.as_ref())
    }

    /// Parses a DER PKCS#8 key of any kind in [`KeyKind`].
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`] when it is malformed or of another kind.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let ecdsa = CURVES.into_iter().find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, pkcs8).ok());
        let pair = ecdsa
            .map(Pair::Ecdsa)
            .or_else(|| Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Pair::Ed25519))
            .or_else(|| RsaKeyPair::from_pkcs8(pkcs8).ok().map(Pair::Rsa))
            .ok_or(KeyError::PrivateKey)?;
        Self::of_pair(pair, pkcs8)
    }

    /// Takes a key in any of the forms that PEM files have: PKCS#8, PKCS#1 (RSA) or SEC1 (EC).
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`] when it is malformed or of a kind not in [`KeyKind`].
    pub fn from_rustls(key: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        match key {
            PrivateKeyDer::Pkcs8(key) => Self::from_pkcs8_der(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => {
                let pair = RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(|_| KeyError::PrivateKey)?;
                let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::PrivateKey)?;
                Self::of_pair(Pair::Rsa(pair), pkcs8.as_ref())
            }
            PrivateKeyDer::Sec1(key) => {
                let der = key.secret_sec1_der();
                let pair =
                    CURVES.iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok());
                let pair = pair.ok_or(KeyError::PrivateKey)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::PrivateKey)?;
                Self::of_pair(Pair::Ecdsa(pair), pkcs8.as_ref())
            }
            _ => Err(KeyError::PrivateKey),
        }
    }

    fn of_pair(pair: Pair, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| KeyError::PrivateKey)?;
        let public = PublicKey::from_spki_der(spki.as_ref())?;
        Ok(Self(Arc::new(Inner { pkcs8: Zeroizing::new(pkcs8.to_vec()), pair, public })))
    }

    /// The DER PKCS#8 form: a secret.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.0.pkcs8
    }

    /// The key as unencrypted PKCS#8 in PEM, for a file that only its owner may read.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(crate::pem::private_key(&self.0.pkcs8))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// Signs a message: ECDSA (ASN.1 DER) with SHA-256 on P-256, SHA-384 on P-384, SHA-512 on P-521; PKCS#1 with
    /// SHA-256 for RSA; plain Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Sign`] when the cryptographic library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::Ecdsa(pair) => match pair.sign(&random, message) {
                Ok(signature) => Ok(signature.as_ref().to_vec()),
                Err(_) => Err(KeyError::Sign),
            },
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// A copy in the form that rustls takes; rustls zeroes it when it is done.
    pub fn to_rustls(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.pkcs8.to_vec().into())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?}, …)", self.0.public.kind())
    }
}
