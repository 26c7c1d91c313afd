//! Tokens of other trust domains: a workload is told only the claims that SPIFFE gives a meaning.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use finial_identity::{JwtError, JwtSvid};
use serde_json::{Map, Value};

/// The claims that remain (SPIRE's choice): anybody may put anything into the others.
const KEPT: [&str; 3] = ["sub", "exp", "aud"];

/// A verified SVID without its other claims, which is also no longer a token that anyone would accept: its signature
/// was made over all of them.
pub(super) fn reduced(svid: &JwtSvid) -> Result<JwtSvid, JwtError> {
    let is_kept = |(name, _): &(&String, &Value)| KEPT.contains(&name.as_str());
    let claims = svid.claims().iter().filter(is_kept);
    let claims: Map<String, Value> = claims.map(|(name, value)| (name.clone(), value.clone())).collect();
    let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
    let mut parts = svid.token().split('.');
    let (header, signature) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    JwtSvid::parse_unverified(&format!("{header}.{payload}.{signature}"))
}
