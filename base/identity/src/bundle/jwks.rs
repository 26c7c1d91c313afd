//! JWK Sets: the frame of the SPIFFE bundle document, and by itself the Workload API's form of JWT bundles.

use serde::Serialize;
use serde_json::{Map, Value, ser::PrettyFormatter};

use super::{
    Bundle, BundleError, JwtAuthority,
    jwk::{self, Jwk},
};
use crate::{TrustDomain, json};

#[derive(Serialize)]
struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

impl Bundle {
    /// The JWT authorities as a JWK Set, as the Workload API has it: no `use`, indented by four spaces.
    pub fn to_jwks(&self) -> String {
        write(&Jwks { keys: self.jwt_authorities.iter().map(jwt_jwk).collect() })
    }

    /// Parses a JWK Set of JWT authorities, as the Workload API has it.
    ///
    /// `use` may be missing (SPIRE never writes it) or `jwt-svid`. Elements with another `use`, an unknown type or no
    /// `kid` are passed over.
    ///
    /// # Errors
    /// [`BundleError`] when the document or a key in it is malformed.
    pub fn parse_jwks(trust_domain: TrustDomain, document: &[u8]) -> Result<Self, BundleError> {
        let members = json::parse_object(document).map_err(BundleError::Json)?;
        let mut bundle = Self::empty(trust_domain);
        for jwk in elements(&members)? {
            if matches!(jwk.get("use"), None | Some(Value::String(_)))
                && usage(jwk).is_none_or(|usage| usage == "jwt-svid")
            {
                bundle.add_jwt(jwk)?;
            }
        }
        Ok(bundle)
    }

    pub(super) fn add_jwt(&mut self, jwk: &Map<String, Value>) -> Result<(), BundleError> {
        let Some(key_id) = jwk::text(jwk, "kid").filter(|key_id| !key_id.is_empty()) else { return Ok(()) };
        if let Some(public_key) = jwk::public_key(jwk)? {
            let key_id = key_id.to_owned();
            self.jwt_authorities.push(JwtAuthority { key_id, public_key, expires_at: None, tainted: false });
        }
        Ok(())
    }
}

/// The objects in `keys`, which must be there (SPIFFE Trust Domain and Bundle §4.1.3).
pub(super) fn elements(members: &Map<String, Value>) -> Result<Vec<&Map<String, Value>>, BundleError> {
    let Some(Value::Array(keys)) = members.get("keys") else {
        return Err(BundleError::Member { member: "keys", problem: "is missing or not a list" });
    };
    let objects: Option<Vec<_>> = keys.iter().map(Value::as_object).collect();
    objects.ok_or(BundleError::Member { member: "keys", problem: "has an element that is not an object" })
}

pub(super) fn usage(jwk: &Map<String, Value>) -> Option<&str> {
    jwk::text(jwk, "use")
}

pub(super) fn jwt_jwk(authority: &JwtAuthority) -> Jwk<'_> {
    let mut jwk = Jwk::of_key(&authority.public_key);
    jwk.kid = Some(&authority.key_id);
    jwk
}

#[expect(
    clippy::expect_used,
    reason = "the members are strings and numbers, which always serialize to memory"
)]
pub(super) fn write(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    document.serialize(&mut writer).expect("strings and numbers");
    String::from_utf8(text).expect("json is UTF-8")
}
