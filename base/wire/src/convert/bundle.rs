//! Bundles.

use std::time::Duration;

use finial_identity::{Bundle, JwtAuthority, PublicKey, TrustDomain, X509Authority};
use tonic::Status;

use super::{id, time};
use crate::error::WireError;
use crate::proto::bundle::AppendBundleRequest;
use crate::proto::bundle::batch_delete_federated_bundle_request::Mode;
use crate::proto::types;
use crate::{BundleDeletion, BundleUpdate};

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

/// A bundle that a caller wants the server to hold.
pub(crate) fn given(given: types::Bundle) -> Result<Bundle, Status> {
    trust_domain(&given.trust_domain)?;
    bundle(given).map_err(|error| error.refusal_of("failed to convert bundle"))
}

/// The fields of a bundle that a caller wants changed; without a mask all of them.
pub(crate) fn update(given: types::Bundle, mask: Option<types::BundleMask>) -> Result<BundleUpdate, Status> {
    let mask = mask.unwrap_or(EVERYTHING);
    let masked = types::Bundle {
        trust_domain: given.trust_domain,
        x509_authorities: given.x509_authorities.into_iter().filter(|_| mask.x509_authorities).collect(),
        jwt_authorities: given.jwt_authorities.into_iter().filter(|_| mask.jwt_authorities).collect(),
        refresh_hint: if mask.refresh_hint { given.refresh_hint } else { 0 },
        ..types::Bundle::default()
    };
    let bundle = self::given(masked)?;
    Ok(BundleUpdate {
        trust_domain: bundle.trust_domain,
        x509_authorities: mask.x509_authorities.then_some(bundle.x509_authorities),
        jwt_authorities: mask.jwt_authorities.then_some(bundle.jwt_authorities),
        refresh_hint: mask.refresh_hint.then_some(bundle.refresh_hint),
    })
}

/// The update as a bundle and the mask of what is meant.
pub(crate) fn to_update(update: BundleUpdate) -> (types::Bundle, types::BundleMask) {
    let mask = types::BundleMask {
        x509_authorities: update.x509_authorities.is_some(),
        jwt_authorities: update.jwt_authorities.is_some(),
        refresh_hint: update.refresh_hint.is_some(),
        ..types::BundleMask::default()
    };
    let mut bundle = Bundle::empty(update.trust_domain.clone());
    update.apply(&mut bundle);
    (to_bundle(&bundle, None), mask)
}

/// Authorities to add to the server's own bundle, of which there must be one.
pub(crate) fn appended(
    request: AppendBundleRequest,
) -> Result<(Vec<X509Authority>, Vec<JwtAuthority>), Status> {
    if request.x509_authorities.is_empty() && request.jwt_authorities.is_empty() {
        return Err(Status::invalid_argument("no authorities to append"));
    }
    let x509 = request.x509_authorities.into_iter().map(x509_authority).collect::<Result<_, _>>();
    let jwt = request.jwt_authorities.into_iter().map(jwt_authority).collect::<Result<_, _>>();
    Ok((
        x509.map_err(|error| error.refusal_of("failed to convert X.509 authority"))?,
        jwt.map_err(|error| error.refusal_of("failed to convert JWT authority"))?,
    ))
}

pub(crate) fn to_append(x509: &[X509Authority], jwt: &[JwtAuthority]) -> AppendBundleRequest {
    AppendBundleRequest {
        x509_authorities: x509.iter().map(to_x509_authority).collect(),
        jwt_authorities: jwt.iter().map(to_jwt_authority).collect(),
        ..AppendBundleRequest::default()
    }
}

/// The trust domain in a request, by name or ID.
pub(crate) fn trust_domain(text: &str) -> Result<TrustDomain, Status> {
    id::trust_domain("trust domain argument", text).map_err(WireError::refusal)
}

pub(crate) fn deletion(mode: i32) -> Result<BundleDeletion, Status> {
    match Mode::try_from(mode) {
        Ok(Mode::Restrict) => Ok(BundleDeletion::Restrict),
        Ok(Mode::Delete) => Ok(BundleDeletion::Delete),
        Ok(Mode::Dissociate) => Ok(BundleDeletion::Dissociate),
        Err(_) => Err(WireError::DeletionMode(mode).refusal()),
    }
}

pub(crate) fn to_deletion(deletion: BundleDeletion) -> Mode {
    match deletion {
        BundleDeletion::Restrict => Mode::Restrict,
        BundleDeletion::Delete => Mode::Delete,
        BundleDeletion::Dissociate => Mode::Dissociate,
    }
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
