//! One JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037) and the public key it stands for.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use der::{
    Decode, Encode,
    asn1::{Any, BitString, UintRef},
    oid::{
        ObjectIdentifier,
        db::{rfc5912, rfc8410},
    },
};
use serde::Serialize;
use serde_json::{Map, Value};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::BundleError;
use crate::{KeyError, KeyKind, PublicKey, jwt::JwtAlgorithm, key::RsaPublicKey};

/// A JWK to be written; the members are in the order SPIRE writes them.
#[derive(Serialize)]
pub(super) struct Jwk<'a> {
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<&'static str>,
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<[String; 1]>,
}

impl Jwk<'_> {
    pub(super) fn of_key(key: &PublicKey) -> Self {
        let bytes = key.key_bytes();
        let mut jwk = Self {
            usage: None,
            kty: "EC",
            kid: None,
            crv: None,
            alg: key.jwt_algorithm().map(JwtAlgorithm::name),
            x: None,
            y: None,
            n: None,
            e: None,
            x5c: None,
        };
        match key.kind() {
            KeyKind::EcP256 => jwk.set_point("P-256", bytes),
            KeyKind::EcP384 => jwk.set_point("P-384", bytes),
            KeyKind::EcP521 => jwk.set_point("P-521", bytes),
            KeyKind::Ed25519 => {
                jwk.kty = "OKP";
                jwk.crv = Some("Ed25519");
                jwk.x = Some(URL_SAFE_NO_PAD.encode(bytes));
            }
            KeyKind::Rsa { .. } => jwk.set_rsa(bytes),
        }
        jwk
    }

    fn set_point(&mut self, curve: &'static str, uncompressed: &[u8]) {
        let (x, y) = uncompressed[1..].split_at(uncompressed.len() / 2);
        self.crv = Some(curve);
        self.x = Some(URL_SAFE_NO_PAD.encode(x));
        self.y = Some(URL_SAFE_NO_PAD.encode(y));
    }

    #[expect(
        clippy::expect_used,
        reason = "a PublicKey of kind RSA was read as RSAPublicKey when it was made"
    )]
    fn set_rsa(&mut self, der: &[u8]) {
        let key = RsaPublicKey::from_der(der).expect("an RSAPublicKey");
        self.kty = "RSA";
        self.n = Some(URL_SAFE_NO_PAD.encode(key.modulus.as_bytes()));
        self.e = Some(URL_SAFE_NO_PAD.encode(key.exponent.as_bytes()));
    }

    /// `x5c` is in standard base64, unlike all the rest (RFC 7517 §4.7).
    pub(super) fn set_certificate(&mut self, der: &[u8]) {
        self.x5c = Some([STANDARD.encode(der)]);
    }
}

/// The key of a JWK; none when its type, curve or algorithm is not known here.
pub(super) fn public_key(jwk: &Map<String, Value>) -> Result<Option<PublicKey>, BundleError> {
    let spki = match (text(jwk, "kty"), text(jwk, "crv")) {
        (Some("RSA"), _) => rsa_spki(&number(jwk, "n")?, &number(jwk, "e")?),
        (Some("EC"), Some("P-256")) => ec_spki(rfc5912::SECP_256_R_1, 32, jwk)?,
        (Some("EC"), Some("P-384")) => ec_spki(rfc5912::SECP_384_R_1, 48, jwk)?,
        (Some("EC"), Some("P-521")) => ec_spki(rfc5912::SECP_521_R_1, 66, jwk)?,
        (Some("OKP"), Some("Ed25519")) => spki(rfc8410::ID_ED_25519, None, &number(jwk, "x")?),
        _ => return Ok(None),
    };
    let spki = spki.map_err(|error| BundleError::Key(KeyError::PublicKey(error)))?;
    let key = match PublicKey::from_spki_der(&spki) {
        Ok(key) => key,
        // Too short an RSA key, say: like a type that is not known.
        Err(KeyError::Unsupported(_)) => return Ok(None),
        Err(error) => return Err(BundleError::Key(error)),
    };
    match text(jwk, "alg") {
        None => Ok(Some(key)),
        Some(name) => Ok(JwtAlgorithm::from_name(name).map(|only| key.with_jwt_algorithm(Some(only)))),
    }
}

/// A member that is a string; none when it is missing or something else.
pub(super) fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
}

fn number(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, BundleError> {
    let bytes = text(jwk, member).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.ok_or(BundleError::Member { member, problem: "of a jwk is missing or no unpadded base64url" })
}

type Spki = Result<Vec<u8>, der::Error>;

fn ec_spki(curve: ObjectIdentifier, length: usize, jwk: &Map<String, Value>) -> Result<Spki, BundleError> {
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(BundleError::Member {
            member: "x",
            problem: "or `y` of a jwk is not of its curve's length",
        });
    }
    let point = [&[4][..], &x, &y].concat();
    Ok(spki(rfc5912::ID_EC_PUBLIC_KEY, Some(Any::from(curve)), &point))
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Spki {
    let key = RsaPublicKey { modulus: UintRef::new(modulus)?, exponent: UintRef::new(exponent)? };
    spki(rfc5912::RSA_ENCRYPTION, Some(Any::null()), &key.to_der()?)
}

fn spki(oid: ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> Spki {
    let algorithm = AlgorithmIdentifierOwned { oid, parameters };
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(key)? }.to_der()
}
