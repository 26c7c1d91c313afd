//! JWT-SVIDs: parsed, and validated after an authority has signed whatever stands in them.

use std::time::{Duration, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use finial_identity::{JwtSvid, SpiffeId};
use serde_json::Value;

use crate::authority::{BUNDLES, KEY_ID, SIGNER, now};

/// The audience that verifies.
const AUDIENCE: &str = "db";

/// The input is a token, or, with a line break in it, a header and a payload that the authority is made to sign.
pub(crate) fn jwt(data: &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let (header, payload) = (&data[..end], &data[end + 1..]);
            if let Some(verified) = verified(&signed(header, payload)) {
                check(header, payload, &verified);
            }
        }
        None => {
            let Ok(token) = str::from_utf8(data) else { return };
            let Ok(svid) = JwtSvid::parse_unverified(token) else { return };
            assert_eq!(svid.token(), token);
            assert!(!format!("{svid:?}").contains(token), "Debug hides the token");
            // Nothing was ever signed for the year in which this is now.
            assert!(verified(token).is_none());
        }
    }
}

fn verified(token: &str) -> Option<JwtSvid> {
    let svid = JwtSvid::verify(token, AUDIENCE, &BUNDLES, now()).ok()?;
    assert!(JwtSvid::parse_unverified(token).is_ok_and(|parsed| parsed == *svid));
    Some(svid.into_inner())
}

/// JWT-SVID §3 and §4, read a second time.
fn check(header: &[u8], payload: &[u8], svid: &JwtSvid) {
    let header: Value = serde_json::from_slice(header).unwrap();
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("kid").is_none_or(|id| id == KEY_ID));
    assert!(header.get("typ").is_none_or(|typ| typ == "JWT" || typ == "JOSE"));
    assert!(header.as_object().unwrap().keys().all(|name| ["alg", "kid", "typ"].contains(&name.as_str())));
    let claims: Value = serde_json::from_slice(payload).unwrap();
    let id = SpiffeId::parse(claims["sub"].as_str().unwrap()).unwrap();
    assert_eq!((svid.id(), id.trust_domain().name()), (&id, crate::authority::TRUST_DOMAIN));
    assert!(claims["aud"] == AUDIENCE || claims["aud"].as_array().unwrap().iter().any(|aud| aud == AUDIENCE));
    let (ends, minute) = (Duration::from_secs(claims["exp"].as_u64().unwrap()), Duration::from_secs(60));
    assert!(UNIX_EPOCH + ends + minute > now());
    let begins = claims.get("nbf").map(|begins| Duration::from_secs(begins.as_u64().unwrap()));
    assert!(begins.is_none_or(|begins| UNIX_EPOCH + begins <= now() + minute));
    assert_eq!(Value::Object(svid.claims().clone()), claims);
}

fn signed(header: &[u8], payload: &[u8]) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let content = format!("{}.{}", encode(header), encode(payload));
    let signature = fixed(&SIGNER.sign(content.as_bytes()).unwrap());
    format!("{content}.{}", encode(&signature))
}

/// The two numbers of a DER signature on P-256, in 32 bytes each, as JWS has them.
fn fixed(der: &[u8]) -> [u8; 64] {
    let mut fixed = [0; 64];
    let (mut rest, mut end) = (&der[2..], 32);
    while let [2, length, after @ ..] = rest {
        let (number, others) = after.split_at(usize::from(*length));
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        fixed[end - number.len()..end].copy_from_slice(number);
        (rest, end) = (others, end + 32);
    }
    fixed
}
