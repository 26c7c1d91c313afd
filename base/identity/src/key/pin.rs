//! Pins: public keys named by their hash, as RFC 7469 §2.4 makes it and ghostunnel's flags write it.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::PublicKey;

/// The hash of one public key's SubjectPublicKeyInfo: `sha256:BASE64`, `sha384:BASE64` or `sha512:BASE64`.
#[derive(Clone, PartialEq, Eq)]
pub struct SpkiPin {
    hash: Hash,
    digest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl SpkiPin {
    /// The SHA-256 pin of a key.
    pub fn of(key: &PublicKey) -> Self {
        let hash = Hash::Sha256;
        Self { hash, digest: hash.digest(key) }
    }

    /// Whether this is the hash of `key`.
    pub fn is_of(&self, key: &PublicKey) -> bool {
        self.digest == self.hash.digest(key)
    }
}

impl FromStr for SpkiPin {
    type Err = SpkiPinError;

    /// The case of the hash's name does not count.
    fn from_str(text: &str) -> Result<Self, SpkiPinError> {
        let pin = || text.to_owned();
        let (name, encoded) = text.split_once(':').ok_or_else(|| SpkiPinError::Form { pin: pin() })?;
        let name = name.to_lowercase();
        let Some(hash) = Hash::named(&name) else {
            return Err(SpkiPinError::Hash { pin: pin(), name });
        };
        let digest = STANDARD.decode(encoded).map_err(|cause| SpkiPinError::Base64 { pin: pin(), cause })?;
        if digest.len() != hash.length() {
            let (expected, found) = (hash.length(), digest.len());
            return Err(SpkiPinError::Length { pin: pin(), name, expected, found });
        }
        Ok(Self { hash, digest })
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hash.name(), STANDARD.encode(&self.digest))
    }
}

impl fmt::Debug for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiPin({self})")
    }
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn length(self) -> usize {
        self.algorithm().output_len()
    }

    fn digest(self, key: &PublicKey) -> Vec<u8> {
        digest::digest(self.algorithm(), key.spki_der()).as_ref().to_vec()
    }
}

/// Why a text is no pin. The texts are ghostunnel's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpkiPinError {
    /// It has no colon.
    #[error("invalid pin {pin:?}: expected format <algo>:<base64-digest>")]
    Form {
        /// The text.
        pin: String,
    },
    /// It names another hash than the three.
    #[error("invalid pin {pin:?}: unsupported hash algorithm {name:?} (supported: sha256, sha384, sha512)")]
    Hash {
        /// The text.
        pin: String,
        /// The name, in lower case.
        name: String,
    },
    /// What follows the colon is no base64 (RFC 4648 §4, with padding).
    #[error("invalid pin {pin:?}: base64 decode failed")]
    Base64 {
        /// The text.
        pin: String,
        /// What is wrong with it.
        #[source]
        cause: base64::DecodeError,
    },
    /// The digest is of another length than the hash's.
    #[error("invalid pin {pin:?}: expected {expected} bytes for {name}, got {found}")]
    Length {
        /// The text.
        pin: String,
        /// The name of the hash.
        name: String,
        /// The length of its digests, in bytes.
        expected: usize,
        /// The length that was found, in bytes.
        found: usize,
    },
}
