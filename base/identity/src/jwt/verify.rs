//! Verifying a JWT-SVID against the bundle of its subject's trust domain.

use std::time::{Duration, SystemTime};

use super::parse::{self, ParsedToken};
use crate::{Bundle, BundleSet, JwtError, JwtSvid, PublicKey, Verified};

/// How far the clocks of issuer and verifier may be apart (JWT-SVID §3.3 allows a small leeway). One minute is what
/// go-spiffe and SPIRE allow: less would refuse what they accept.
const LEEWAY: Duration = Duration::from_secs(60);

impl JwtSvid {
    /// Verifies the token at this time for this audience.
    ///
    /// The key comes from the bundle of the subject's own trust domain only. A token without a key ID is tried with
    /// every key of that bundle that fits its algorithm. One minute of leeway is given to `exp` and `nbf`.
    ///
    /// # Errors
    /// [`JwtError`] when the audience is empty, the token malformed, not signed by an authority of its subject's
    /// trust domain, expired, not valid yet, or meant for others.
    pub fn verify(
        token: &str,
        audience: &str,
        bundles: &BundleSet,
        at: SystemTime,
    ) -> Result<Verified<JwtSvid>, JwtError> {
        if audience.is_empty() {
            return Err(JwtError::Audience);
        }
        let parsed = parse::token(token)?;
        let trust_domain = parsed.claims.id.trust_domain();
        let bundle = bundles.bundle(&trust_domain).ok_or(JwtError::NoBundle(trust_domain))?;
        check_signature(&parsed, bundle)?;
        let svid = Verified::new(JwtSvid::of_claims(parsed.claims, token));
        svid.verify_again(audience, at)?;
        Ok(svid)
    }
}

impl Verified<JwtSvid> {
    /// Verifies once more, at a later time or for another audience, what does not depend on the signature.
    ///
    /// Whether the key that signed is still in its bundle is for the caller to know.
    ///
    /// # Errors
    /// [`JwtError`] when the audience is empty, or the token expired, not valid yet, or meant for others.
    pub fn verify_again(&self, audience: &str, at: SystemTime) -> Result<(), JwtError> {
        if audience.is_empty() {
            return Err(JwtError::Audience);
        }
        check_times(self, at)?;
        if !self.audience().iter().any(|value| value == audience) {
            return Err(JwtError::OtherAudience(audience.to_owned()));
        }
        Ok(())
    }
}

fn check_signature(parsed: &ParsedToken<'_>, bundle: &Bundle) -> Result<(), JwtError> {
    let mut keys = suitable_keys(parsed, bundle).peekable();
    if keys.peek().is_none() {
        return Err(JwtError::NoKey(bundle.trust_domain.clone()));
    }
    let algorithm = parsed.header.algorithm.verification();
    match keys.any(|key| key.has_signed(algorithm, parsed.signed, &parsed.signature)) {
        true => Ok(()),
        false => Err(JwtError::Signature),
    }
}

fn suitable_keys<'a>(parsed: &'a ParsedToken<'_>, bundle: &'a Bundle) -> impl Iterator<Item = &'a PublicKey> {
    let named = parsed.header.key_id.as_deref();
    let by_id = bundle.jwt_authorities.iter().filter(move |key| named.is_none_or(|id| id == key.key_id));
    by_id.map(|authority| &authority.public_key).filter(|key| parsed.header.algorithm.fits(key))
}

fn check_times(svid: &JwtSvid, at: SystemTime) -> Result<(), JwtError> {
    if at.checked_sub(LEEWAY).is_some_and(|earliest| svid.expires_at() <= earliest) {
        return Err(JwtError::Expired);
    }
    let latest = at.checked_add(LEEWAY).unwrap_or(at);
    match svid.not_before() {
        Some(not_before) if not_before > latest => Err(JwtError::NotYetValid),
        _ => Ok(()),
    }
}
