//! Keys: the public halves that documents carry, and the private halves held in this process.

mod pin;
mod private;
mod public;
#[cfg(test)]
mod tests;

pub use pin::{SpkiPin, SpkiPinError};
pub use private::PrivateKey;
pub use public::PublicKey;
pub(crate) use public::RsaPublicKey;

/// The kinds of key that an SVID or an authority may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on the curve P-256.
    EcP256,
    /// ECDSA on the curve P-384.
    EcP384,
    /// ECDSA on the curve P-521.
    EcP521,
    /// RSA with a modulus of this many bits, 2048 to 8192.
    Rsa {
        /// The size of the modulus.
        bits: u32,
    },
    /// Ed25519.
    Ed25519,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The public key is no DER SubjectPublicKeyInfo.
    #[error("public key is malformed")]
    PublicKey(#[source] der::Error),
    /// The public key has the right form, but is no key: the point is not on its curve, say.
    #[error("public key of kind {0:?} has an invalid value")]
    InvalidValue(KeyKind),
    /// The key is of an algorithm or curve not in [`KeyKind`]; holds what was found.
    #[error(
        "key of an unsupported kind: {0}; use EC P-256, P-384, P-521, RSA of 2048 bits or more, or Ed25519"
    )]
    Unsupported(String),
    /// The private key is malformed, or of an unsupported kind.
    #[error("private key is malformed or of an unsupported kind; give an unencrypted PKCS#8 key")]
    PrivateKey,
    /// Keys of this kind are not made here.
    #[error("cannot generate a key of kind {0:?}; use EC P-256 or P-384, or RSA of 2048, 3072 or 4096 bits")]
    CannotGenerate(KeyKind),
    /// The cryptographic library failed to generate a key.
    #[error("generating a key failed")]
    Generate,
    /// The cryptographic library failed to sign.
    #[error("signing failed")]
    Sign,
}
