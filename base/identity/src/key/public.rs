//! Public keys, in the one form they have everywhere: SubjectPublicKeyInfo.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest,
    signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm},
};
use der::{
    Decode, Sequence,
    asn1::UintRef,
    oid::db::{rfc5912, rfc8410},
};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{KeyError, KeyKind};
use crate::jwt::JwtAlgorithm;

/// A public key, as its SubjectPublicKeyInfo. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    kind: KeyKind,
    /// How many bytes at the end of `spki` are the key itself.
    key_length: usize,
    jwt_algorithm: Option<JwtAlgorithm>,
}

impl PublicKey {
    /// Parses a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// Points of elliptic curves must be uncompressed and on their curve; RSA keys have 2048 to 8192 bits.
    ///
    /// # Errors
    /// [`KeyError`] when it is malformed or of a kind not in [`KeyKind`].
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        let parsed = SubjectPublicKeyInfoRef::from_der(spki).map_err(KeyError::PublicKey)?;
        let kind = kind_of(&parsed)?;
        let key = parsed.subject_public_key.raw_bytes();
        let whole = !parsed.subject_public_key.has_unused_bits();
        if !whole || has_other_form(kind, key) || ParsedPublicKey::new(any_algorithm(kind), spki).is_err() {
            return Err(KeyError::InvalidValue(kind));
        }
        Ok(Self { spki: spki.into(), kind, key_length: key.len(), jwt_algorithm: None })
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
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, self.key_bytes());
        let mut id = [0; 20];
        id.copy_from_slice(hash.as_ref());
        id
    }

    /// What the BIT STRING holds: a point, an RSAPublicKey, or the 32 bytes of Ed25519.
    pub(crate) fn key_bytes(&self) -> &[u8] {
        &self.spki[self.spki.len() - self.key_length..]
    }

    /// The one algorithm a JWK allows for the key (RFC 7517 §4.4), if it names one.
    pub(crate) fn jwt_algorithm(&self) -> Option<JwtAlgorithm> {
        self.jwt_algorithm
    }

    pub(crate) fn with_jwt_algorithm(self, jwt_algorithm: Option<JwtAlgorithm>) -> Self {
        Self { jwt_algorithm, ..self }
    }

    /// Whether the signature is by this key; the caller has chosen an algorithm that fits the kind.
    pub(crate) fn has_signed(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.spki).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.kind, hex::encode(self.subject_key_id()))
    }
}

fn kind_of(spki: &SubjectPublicKeyInfoRef<'_>) -> Result<KeyKind, KeyError> {
    let algorithm = &spki.algorithm;
    match algorithm.oid {
        rfc5912::ID_EC_PUBLIC_KEY => match algorithm.parameters_oid() {
            Ok(rfc5912::SECP_256_R_1) => Ok(KeyKind::EcP256),
            Ok(rfc5912::SECP_384_R_1) => Ok(KeyKind::EcP384),
            Ok(rfc5912::SECP_521_R_1) => Ok(KeyKind::EcP521),
            Ok(curve) => Err(KeyError::Unsupported(format!("curve {curve}"))),
            Err(_) => Err(KeyError::Unsupported("curve without a name".to_owned())),
        },
        rfc5912::RSA_ENCRYPTION => match rsa_bits(spki.subject_public_key.raw_bytes())? {
            bits @ 2048..=8192 => Ok(KeyKind::Rsa { bits }),
            bits => Err(KeyError::Unsupported(format!("RSA of {bits} bits"))),
        },
        rfc8410::ID_ED_25519 => Ok(KeyKind::Ed25519),
        other => Err(KeyError::Unsupported(format!("algorithm {other}"))),
    }
}

/// The two numbers of an RSA key (RFC 8017 §A.1.1).
#[derive(Sequence)]
pub(crate) struct RsaPublicKey<'a> {
    pub(crate) modulus: UintRef<'a>,
    pub(crate) exponent: UintRef<'a>,
}

fn rsa_bits(key: &[u8]) -> Result<u32, KeyError> {
    let key = RsaPublicKey::from_der(key).map_err(KeyError::PublicKey)?;
    let modulus = key.modulus.as_bytes();
    let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX);
    Ok(bits.saturating_sub(leading_zeros))
}

/// Whether a point is compressed, hybrid or of the wrong size, which the library would read all the same.
fn has_other_form(kind: KeyKind, key: &[u8]) -> bool {
    match kind {
        KeyKind::EcP256 => key.len() != 65 || key[0] != 4,
        KeyKind::EcP384 => key.len() != 97 || key[0] != 4,
        KeyKind::EcP521 => key.len() != 133 || key[0] != 4,
        KeyKind::Ed25519 => key.len() != 32,
        KeyKind::Rsa { .. } => false,
    }
}

/// One algorithm for the kind, good enough to have the library read the key.
fn any_algorithm(kind: KeyKind) -> &'static dyn VerificationAlgorithm {
    match kind {
        KeyKind::EcP256 => &signature::ECDSA_P256_SHA256_ASN1,
        KeyKind::EcP384 => &signature::ECDSA_P384_SHA384_ASN1,
        KeyKind::EcP521 => &signature::ECDSA_P521_SHA512_ASN1,
        KeyKind::Rsa { .. } => &signature::RSA_PKCS1_2048_8192_SHA256,
        KeyKind::Ed25519 => &signature::ED25519,
    }
}
