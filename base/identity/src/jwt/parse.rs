//! Reading a JWT-SVID: strict compact form, closed header, typed claims.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{JwtAlgorithm, JwtError};
use crate::{SpiffeId, json};

/// A token taken apart; nothing about its signature is known yet.
pub(super) struct ParsedToken<'a> {
    pub(super) header: Header,
    pub(super) claims: Claims,
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

pub(super) struct Header {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
}

pub(super) struct Claims {
    pub(super) id: SpiffeId,
    pub(super) audience: Vec<String>,
    pub(super) expires_at: SystemTime,
    pub(super) not_before: Option<SystemTime>,
    pub(super) issued_at: Option<SystemTime>,
    pub(super) all: Map<String, Value>,
}

/// The longest token read, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

pub(super) fn token(token: &str) -> Result<ParsedToken<'_>, JwtError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwtError::Malformed("is longer than 16384 bytes"));
    }
    let [header, payload, signature] = parts(token)?;
    let signed = &token.as_bytes()[..header.len() + 1 + payload.len()];
    // The algorithm is checked before anything else is read (JWT-SVID §2.1).
    let header = parse_header(&decode(header)?)?;
    let claims = parse_claims(&decode(payload)?)?;
    let signature = decode(signature)?;
    Ok(ParsedToken { header, claims, signed, signature })
}

fn parts(token: &str) -> Result<[&str; 3], JwtError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(JwtError::Malformed("is not made of three parts; only JWS compact form is allowed")),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    let malformed = |_| JwtError::Malformed("has a part that is not unpadded base64url");
    URL_SAFE_NO_PAD.decode(part).map_err(malformed)
}

fn parse_header(text: &[u8]) -> Result<Header, JwtError> {
    let members = json::parse_object(text).map_err(|source| JwtError::Json { part: "header", source })?;
    let algorithm = match members.get("alg") {
        Some(Value::String(name)) => {
            JwtAlgorithm::from_name(name).ok_or_else(|| JwtError::Algorithm(name.clone()))?
        }
        _ => return Err(JwtError::Malformed("header names no algorithm")),
    };
    if let Some(other) = members.keys().find(|name| !matches!(name.as_str(), "alg" | "kid" | "typ")) {
        return Err(JwtError::Header(other.clone()));
    }
    match members.get("typ") {
        None => {}
        Some(Value::String(kind)) if kind == "JWT" || kind == "JOSE" => {}
        Some(_) => return Err(JwtError::Malformed("header has a typ other than JWT and JOSE")),
    }
    let key_id = match members.get("kid") {
        None => None,
        Some(Value::String(key_id)) => Some(key_id.clone()),
        Some(_) => return Err(JwtError::Malformed("header has a kid that is not a string")),
    };
    Ok(Header { algorithm, key_id })
}

fn parse_claims(text: &[u8]) -> Result<Claims, JwtError> {
    let all = json::parse_object(text).map_err(|source| JwtError::Json { part: "payload", source })?;
    let id = match all.get("sub") {
        Some(Value::String(subject)) => SpiffeId::parse(subject).map_err(JwtError::Subject)?,
        Some(_) => return Err(JwtError::Claim { claim: "sub", problem: "is not a string" }),
        None => return Err(JwtError::Claim { claim: "sub", problem: "is missing" }),
    };
    let audience = parse_audience(all.get("aud"))?;
    let expires_at =
        numeric_date(&all, "exp")?.ok_or(JwtError::Claim { claim: "exp", problem: "is missing" })?;
    Ok(Claims {
        id,
        audience,
        expires_at,
        not_before: numeric_date(&all, "nbf")?,
        issued_at: numeric_date(&all, "iat")?,
        all,
    })
}

/// A string, or a list of strings with at least one; none of them empty (RFC 7519 §4.1.3, JWT-SVID §3.2).
fn parse_audience(claim: Option<&Value>) -> Result<Vec<String>, JwtError> {
    let values: Vec<&Value> = match claim {
        None => return Err(JwtError::Claim { claim: "aud", problem: "is missing" }),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    };
    let audience: Option<Vec<String>> = values
        .iter()
        .map(|value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
        .collect();
    match audience {
        Some(audience) if !audience.is_empty() => Ok(audience),
        _ => Err(JwtError::Claim { claim: "aud", problem: "is empty, or not a string or list of strings" }),
    }
}

/// A whole, non-negative number of seconds. Fractions are allowed by RFC 7519 and refused here: no issuer of
/// JWT-SVIDs writes them, and a reader that rounds is one that can be played with.
fn numeric_date(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<SystemTime>, JwtError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let time =
        value.as_u64().and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    match time {
        Some(time) => Ok(Some(time)),
        None => Err(JwtError::Claim { claim, problem: "is not a whole number of seconds since 1970" }),
    }
}
