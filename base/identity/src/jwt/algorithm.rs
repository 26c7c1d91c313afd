//! The nine signature algorithms of JWT-SVIDs (JWT-SVID §2.1), and no other.

use aws_lc_rs::signature::{self, VerificationAlgorithm};

use crate::{KeyKind, PublicKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwtAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
    Ps256,
    Ps384,
    Ps512,
}

impl JwtAlgorithm {
    /// Case-sensitive, as RFC 7515 §4.1.1 has it.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "ES512" => Some(Self::Es512),
            "PS256" => Some(Self::Ps256),
            "PS384" => Some(Self::Ps384),
            "PS512" => Some(Self::Ps512),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    /// The algorithm JWT-SVIDs are signed with by a key of this kind, for the kinds that sign them here.
    pub(crate) fn for_signing(kind: KeyKind) -> Option<Self> {
        match kind {
            KeyKind::EcP256 => Some(Self::Es256),
            KeyKind::EcP384 => Some(Self::Es384),
            KeyKind::Rsa { .. } => Some(Self::Rs256),
            KeyKind::EcP521 | KeyKind::Ed25519 => None,
        }
    }

    /// Whether the key is of the type and curve the algorithm is for (RFC 7518 §3), and not kept for another one.
    pub(crate) fn fits(self, key: &PublicKey) -> bool {
        let kind_fits = match self {
            Self::Es256 => key.kind() == KeyKind::EcP256,
            Self::Es384 => key.kind() == KeyKind::EcP384,
            Self::Es512 => key.kind() == KeyKind::EcP521,
            _ => matches!(key.kind(), KeyKind::Rsa { .. }),
        };
        kind_fits && key.jwt_algorithm().is_none_or(|only| only == self)
    }

    pub(crate) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        }
    }
}
