//! What a bundle holds, as JSON: unlike a SPIFFE bundle document it knows what is tainted and when JWT keys end.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_identity::{Bundle, JwtAuthority, PublicKey, TrustDomain, X509Authority};
use serde::{Deserialize, Serialize};

use crate::sqlite::columns::{from_instant, to_instant};
use crate::sqlite::failure::Failure;

#[derive(Serialize, Deserialize)]
struct Content {
    x509_authorities: Vec<X509>,
    jwt_authorities: Vec<Jwt>,
    refresh_hint: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct X509 {
    certificate: String,
    tainted: bool,
}

#[derive(Serialize, Deserialize)]
struct Jwt {
    key_id: String,
    public_key: String,
    expires_at: Option<i64>,
    tainted: bool,
}

#[expect(clippy::expect_used, reason = "structs of texts and numbers have a JSON form")]
pub(super) fn encode(bundle: &Bundle) -> String {
    let x509_authorities = bundle.x509_authorities.iter().map(|authority| X509 {
        certificate: STANDARD.encode(authority.certificate()),
        tainted: authority.is_tainted(),
    });
    let jwt_authorities = bundle.jwt_authorities.iter().map(|authority| Jwt {
        key_id: authority.key_id.clone(),
        public_key: STANDARD.encode(authority.public_key.spki_der()),
        expires_at: authority.expires_at.map(from_instant),
        tainted: authority.tainted,
    });
    let content = Content {
        x509_authorities: x509_authorities.collect(),
        jwt_authorities: jwt_authorities.collect(),
        refresh_hint: bundle.refresh_hint.map(|hint| hint.as_secs()),
    };
    serde_json::to_string(&content).expect("texts and numbers have a JSON form")
}

/// The bundle without its sequence number.
pub(super) fn decode(trust_domain: TrustDomain, json: &str) -> Result<Bundle, Failure> {
    let place = format!("bundle `{trust_domain}`");
    let content: Content = serde_json::from_str(json).map_err(|error| Failure::corrupt_row(&place, error))?;
    let mut bundle = Bundle::empty(trust_domain);
    bundle.refresh_hint = content.refresh_hint.map(Duration::from_secs);
    for X509 { certificate, tainted } in content.x509_authorities {
        let der = decode_base64(&certificate, &place)?;
        let authority = X509Authority::parse_der(der).map_err(|error| Failure::corrupt_row(&place, error))?;
        bundle.x509_authorities.push(authority.tainted(tainted));
    }
    for Jwt { key_id, public_key, expires_at, tainted } in content.jwt_authorities {
        let spki = decode_base64(&public_key, &place)?;
        let public_key =
            PublicKey::from_spki_der(&spki).map_err(|error| Failure::corrupt_row(&place, error))?;
        let expires_at = expires_at.map(|end| to_instant(end, &place)).transpose()?;
        bundle.jwt_authorities.push(JwtAuthority { key_id, public_key, expires_at, tainted });
    }
    Ok(bundle)
}

fn decode_base64(text: &str, place: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|error| Failure::corrupt_row(place, error))
}
