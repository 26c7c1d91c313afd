//! The SPIFFE bundle document (SPIFFE Trust Domain and Bundle §4): what federation exchanges.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Bundle, BundleError,
    jwk::{self, Jwk},
    jwks,
};
use crate::{TrustDomain, X509Authority, json};

#[derive(Serialize)]
struct Document<'a> {
    keys: Vec<Jwk<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    spiffe_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    spiffe_refresh_hint: Option<u64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Bundle {
    /// The SPIFFE bundle document, indented by four spaces as SPIRE has it.
    ///
    /// An X.509 authority whose key no JWK can express (it is of no [`KeyKind`](crate::KeyKind)) is left out.
    pub fn to_spiffe_json(&self) -> String {
        let x509 = self.x509_authorities.iter().filter_map(x509_jwk);
        let jwt = self.jwt_authorities.iter().map(|authority| {
            let mut jwk = jwks::jwt_jwk(authority);
            jwk.usage = Some("jwt-svid");
            jwk
        });
        jwks::write(&Document {
            keys: x509.chain(jwt).collect(),
            spiffe_sequence: self.sequence_number,
            spiffe_refresh_hint: self.refresh_hint.map(|hint| hint.as_secs()),
        })
    }

    /// Parses a SPIFFE bundle document.
    ///
    /// Elements with a missing or unknown `use`, an unknown `kty`, or an `x509-svid` element without certificate, are
    /// passed over, and the rest is used (§4.2; X509-SVID §6.2). Members that are not known do not matter.
    ///
    /// # Errors
    /// [`BundleError`] when the document, a certificate or a key is malformed, or a member occurs twice.
    pub fn parse_spiffe_json(trust_domain: TrustDomain, document: &[u8]) -> Result<Self, BundleError> {
        let members = json::parse_object(document).map_err(BundleError::Json)?;
        let mut bundle = Self::empty(trust_domain);
        bundle.sequence_number = whole_number(&members, "spiffe_sequence")?.unwrap_or(0);
        bundle.refresh_hint = whole_number(&members, "spiffe_refresh_hint")?.map(Duration::from_secs);
        for jwk in jwks::elements(&members)? {
            match (jwks::usage(jwk), jwk::text(jwk, "kty")) {
                (Some("x509-svid"), Some("EC" | "RSA" | "OKP")) => bundle.add_x509_jwk(jwk)?,
                (Some("jwt-svid"), _) => bundle.add_jwt(jwk)?,
                _ => {}
            }
        }
        Ok(bundle)
    }

    /// Takes the first certificate of `x5c`. The other members of the JWK say nothing that it does not say.
    fn add_x509_jwk(&mut self, jwk: &Map<String, Value>) -> Result<(), BundleError> {
        const NOT_BASE64: BundleError =
            BundleError::Member { member: "x5c", problem: "is not in standard base64" };
        let first = match jwk.get("x5c") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(certificates)) => certificates.first(),
            Some(_) => return Err(BundleError::Member { member: "x5c", problem: "is not a list" }),
        };
        match first {
            None => Ok(()),
            Some(Value::String(certificate)) => {
                self.add_x509(STANDARD.decode(certificate).map_err(|_| NOT_BASE64)?)
            }
            Some(_) => Err(NOT_BASE64),
        }
    }
}

fn x509_jwk(authority: &X509Authority) -> Option<Jwk<'_>> {
    let mut jwk = Jwk::of_key(authority.public_key()?);
    jwk.usage = Some("x509-svid");
    jwk.set_certificate(authority.certificate());
    Some(jwk)
}

fn whole_number(members: &Map<String, Value>, member: &'static str) -> Result<Option<u64>, BundleError> {
    let Some(value) = members.get(member) else { return Ok(None) };
    match value.as_u64() {
        Some(number) => Ok(Some(number)),
        None => Err(BundleError::Member { member, problem: "is not a whole number" }),
    }
}
