//! Bundles.

use std::time::Duration;

use finial_identity::{Bundle, JwtAuthority, PublicKey, X509Authority};

use super::{id, time};
use crate::error::WireError;
use crate::proto::types;

/// All fields of a bundle: what a missing mask means. WIT authorities there are none.
const EVERYTHING: types::BundleMask = types::BundleMask {
    x509_authorities: true,
    jwt_authorities: true,
    refresh_hint: true,
    sequence_number: true,
    wit_authorities: false,
};

/// The bundle, with the fields of the mask.
pub(crate) fn to_bundle(bundle: &Bundle, mask: Option<types::BundleMask>) -> types::Bundle {
    let mask = mask.unwrap_or(EVERYTHING);
    let x509 = bundle.x509_authorities.iter().filter(|_| mask.x509_authorities);
    let jwt = bundle.jwt_authorities.iter().filter(|_| mask.jwt_authorities);
    let refresh_hint = bundle.refresh_hint.filter(|_| mask.refresh_hint);
    types::Bundle {
        trust_domain: bundle.trust_domain.name().to_owned(),
        x509_authorities: x509.map(to_x509_authority).collect(),
        jwt_authorities: jwt.map(to_jwt_authority).collect(),
        refresh_hint: refresh_hint.map_or(0, |hint| i64::try_from(hint.as_secs()).unwrap_or(i64::MAX)),
        sequence_number: if mask.sequence_number { bundle.sequence_number } else { 0 },
        wit_authorities: Vec::new(),
    }
}

fn to_x509_authority(authority: &X509Authority) -> types::X509Certificate {
    types::X509Certificate { asn1: authority.certificate().to_vec(), tainted: authority.is_tainted() }
}

fn to_jwt_authority(authority: &JwtAuthority) -> types::JwtKey {
    types::JwtKey {
        public_key: authority.public_key.spki_der().to_vec(),
        key_id: authority.key_id.clone(),
        expires_at: time::optional_seconds(authority.expires_at),
        tainted: authority.tainted,
    }
}

/// A bundle as a server tells of it. Its WIT authorities are passed over: nothing here verifies WIT-SVIDs.
pub(crate) fn bundle(bundle: types::Bundle) -> Result<Bundle, WireError> {
    let hint = bundle.refresh_hint;
    let hint = u64::try_from(hint).map_err(|_| WireError::Negative { field: "refresh_hint", value: hint })?;
    Ok(Bundle {
        trust_domain: id::trust_domain("bundle's trust_domain", &bundle.trust_domain)?,
        x509_authorities: bundle
            .x509_authorities
            .into_iter()
            .map(x509_authority)
            .collect::<Result<_, _>>()?,
        jwt_authorities: bundle.jwt_authorities.into_iter().map(jwt_authority).collect::<Result<_, _>>()?,
        refresh_hint: (hint != 0).then(|| Duration::from_secs(hint)),
        sequence_number: bundle.sequence_number,
    })
}

fn x509_authority(authority: types::X509Certificate) -> Result<X509Authority, WireError> {
    let parsed = X509Authority::parse_der(authority.asn1).map_err(WireError::X509Authority)?;
    Ok(parsed.tainted(authority.tainted))
}

fn jwt_authority(authority: types::JwtKey) -> Result<JwtAuthority, WireError> {
    if authority.key_id.is_empty() {
        return Err(WireError::Missing("jwt authority's key_id"));
    }
    let expires_at = time::optional_instant("jwt authority's expires_at", authority.expires_at)?;
    match PublicKey::from_spki_der(&authority.public_key) {
        Ok(public_key) => {
            Ok(JwtAuthority { key_id: authority.key_id, public_key, expires_at, tainted: authority.tainted })
        }
        Err(source) => Err(WireError::JwtAuthority { key_id: authority.key_id, source }),
    }
}

#[cfg(test)]
mod tests;
