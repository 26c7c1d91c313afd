//! Making the token that a signature completes, wherever the key may be.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use der::{Decode, Sequence, asn1::UintRef};
use serde::Serialize;

use super::JwtAlgorithm;
use crate::{Audience, JwtError, KeyKind, SpiffeId};

/// What a JWT-SVID is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtClaims {
    /// Whose identity it is.
    pub subject: SpiffeId,
    /// Whom it is meant for.
    pub audience: Audience,
    /// When it is issued; whole seconds on the wire.
    pub issued_at: SystemTime,
    /// When it expires; whole seconds on the wire.
    pub expires_at: SystemTime,
    /// Who issues it (`iss`).
    pub issuer: Option<String>,
    /// Its own ID (`jti`).
    pub id: Option<String>,
}

/// A JWT-SVID that lacks only its signature.
#[derive(Clone)]
pub struct JwtSigningInput {
    text: String,
    form: SignatureForm,
}

/// What becomes of a signature on the wire (RFC 7518 §3.3, §3.4).
#[derive(Clone, Copy)]
enum SignatureForm {
    /// Two numbers of so many bytes, out of their ASN.1.
    Numbers(usize),
    /// As many bytes as the modulus has, as they are.
    Rsa(usize),
}

#[derive(Serialize)]
struct HeaderMembers<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct PayloadMembers<'a> {
    sub: &'a str,
    aud: Vec<&'a str>,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
}

/// An ECDSA signature as X.509 has it (RFC 3279 §2.2.3).
#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl JwtSigningInput {
    /// Encodes header and claims for a key of this kind: `ES256` for P-256, `ES384` for P-384, `RS256` for RSA.
    ///
    /// The header has exactly `alg`, `kid` and `typ` (JWT-SVID §2); the audience is always a list.
    ///
    /// # Errors
    /// [`JwtError::SigningKey`] for other kinds.
    pub fn new(claims: &JwtClaims, key_id: &str, kind: KeyKind) -> Result<Self, JwtError> {
        let algorithm = JwtAlgorithm::for_signing(kind).ok_or(JwtError::SigningKey(kind))?;
        let header = HeaderMembers { alg: algorithm.name(), kid: key_id, typ: "JWT" };
        let payload = PayloadMembers {
            sub: claims.subject.as_str(),
            aud: claims.audience.iter().collect(),
            exp: seconds(claims.expires_at),
            iat: seconds(claims.issued_at),
            iss: claims.issuer.as_deref(),
            jti: claims.id.as_deref(),
        };
        let text = format!("{}.{}", encode(&header), encode(&payload));
        let form = match kind {
            KeyKind::Rsa { bits } => SignatureForm::Rsa(bits.div_ceil(8) as usize),
            KeyKind::EcP384 => SignatureForm::Numbers(48),
            _ => SignatureForm::Numbers(32),
        };
        Ok(Self { text, form })
    }

    /// What is to be signed: with SHA-256 on P-256 and by RSA (PKCS#1), SHA-384 on P-384.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The token, from a signature as [`PrivateKey::sign`](crate::PrivateKey::sign) gives it: ECDSA's in ASN.1 DER.
    ///
    /// # Errors
    /// [`JwtError::MalformedSignature`] when it is none of the key's kind.
    pub fn finish(self, signature: &[u8]) -> Result<String, JwtError> {
        let signature = match self.form {
            SignatureForm::Numbers(length) => URL_SAFE_NO_PAD.encode(fixed_numbers(signature, length)?),
            SignatureForm::Rsa(length) if signature.len() == length => URL_SAFE_NO_PAD.encode(signature),
            SignatureForm::Rsa(_) => return Err(JwtError::MalformedSignature),
        };
        Ok(format!("{}.{signature}", self.text))
    }
}

/// The two numbers of an ECDSA signature, each padded to `length` bytes (RFC 7518 §3.4).
fn fixed_numbers(der: &[u8], length: usize) -> Result<Vec<u8>, JwtError> {
    let signature = EcdsaSignature::from_der(der).map_err(|_| JwtError::MalformedSignature)?;
    let mut fixed = Vec::with_capacity(2 * length);
    for number in [signature.r.as_bytes(), signature.s.as_bytes()] {
        let padding = length.checked_sub(number.len()).ok_or(JwtError::MalformedSignature)?;
        fixed.resize(fixed.len() + padding, 0);
        fixed.extend_from_slice(number);
    }
    Ok(fixed)
}

impl fmt::Debug for JwtSigningInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSigningInput(…)")
    }
}

#[expect(clippy::expect_used, reason = "the members are strings and numbers, which always serialize")]
fn encode(members: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(members).expect("strings and numbers"))
}

/// Whole seconds since 1970; 0 for earlier times.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
