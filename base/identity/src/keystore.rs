//! Keystores in PKCS#12 (RFC 7292): a certificate chain with its key under a password, as OpenSSL, Java and Windows
//! write them.

mod decrypt;
mod kdf;
mod pfx;
#[cfg(test)]
mod tests;
mod write;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use self::pfx::Bags;
use crate::{ForeignChain, KeyError, PrivateKey};

/// What a keystore holds for one program to present.
#[derive(Debug)]
pub struct Keystore {
    /// The certificate of the key first, then the others in their order.
    pub chain: Vec<CertificateDer<'static>>,
    /// The only key.
    pub key: PrivateKey,
}

impl Keystore {
    /// Opens a keystore in DER. Both the old ciphers (3DES, RC2, with SHA-1) and PBES2 with AES are understood.
    ///
    /// # Errors
    /// [`KeystoreError`]; that the password is wrong is told apart from a file that is torn.
    pub fn open(der: &[u8], password: &str) -> Result<Self, KeystoreError> {
        let Bags { mut keys, certificates } = pfx::open(der, password)?;
        let key = match (keys.pop(), keys.len()) {
            (Some(key), 0) => key,
            (None, _) => return Err(KeystoreError::NoKey),
            (Some(_), others) => return Err(KeystoreError::SeveralKeys(others + 1)),
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_slice()));
        let key = PrivateKey::from_rustls(&key).map_err(KeystoreError::Key)?;
        let is_of_key = |der: &CertificateDer<'static>| {
            ForeignChain::from_chain(vec![der.clone()])
                .is_ok_and(|leaf| leaf.public_key() == key.public_key())
        };
        let (leaves, others): (Vec<_>, Vec<_>) = certificates.into_iter().partition(is_of_key);
        let leaf = leaves.into_iter().next().ok_or(KeystoreError::NoCertificate)?;
        Ok(Self { chain: std::iter::once(leaf).chain(others).collect(), key })
    }
}

/// Certificates that one program is to trust, each with the name by which people find it: no two have one name.
#[derive(Clone, Debug)]
pub struct Truststore {
    /// Names and certificates.
    pub certificates: Vec<(String, CertificateDer<'static>)>,
}

/// Why a keystore cannot be opened, or written.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// It is torn, or no PKCS#12 file in DER.
    #[error("keystore is torn, or no pkcs#12 in der")]
    Der(#[source] der::Error),
    /// The password does not open it, or its content was altered.
    #[error("keystore is not opened by this password")]
    Password,
    /// It is protected by something other than a password; holds the OID.
    #[error("keystore is protected by {0}; write it anew with `openssl pkcs12`")]
    Protection(der::oid::ObjectIdentifier),
    /// It has no MAC, so that nobody could tell whether it was altered.
    #[error("keystore has no mac; write it anew without `-nomac`")]
    NoMac,
    /// It asks for more work than anybody should do for it; holds the iterations.
    #[error("keystore asks for {0} iterations; at most 5000000 are made")]
    Iterations(u32),
    /// It holds certificates only.
    #[error("keystore holds no private key")]
    NoKey,
    /// It does not say which key to use; holds how many there are.
    #[error("keystore holds {0} private keys; write one with one key")]
    SeveralKeys(usize),
    /// Its key cannot be used.
    #[error("keystore holds a private key that cannot be used")]
    Key(#[source] KeyError),
    /// It could not be written; holds what could not be encoded, unless the cryptographic library failed.
    #[error("keystore could not be written")]
    Seal(#[source] Option<der::Error>),
    /// No certificate in it is of its key.
    #[error("keystore holds no certificate of its private key")]
    NoCertificate,
}
