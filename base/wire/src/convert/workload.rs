//! The messages of the Workload API.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use finial_identity::{
    Bundle, BundleSet, JwtSvid, PrivateKey, SpiffeId, TrustDomain, X509Credential, X509Svid,
};
use tonic::Status;

use super::svid::same_id;
use super::{claims, id};
use crate::X509Context;
use crate::error::WireError;
use crate::proto::workload as proto;

/// Everything a workload is told at once. Without an identity, or without the bundle of one, there is nothing to tell.
pub(crate) fn to_x509_response(context: &X509Context) -> Result<proto::X509svidResponse, Status> {
    if context.credentials.is_empty() {
        return Err(Status::permission_denied("no identity issued"));
    }
    let federated = context.bundles.iter().filter(|bundle| bundle.trust_domain != context.trust_domain);
    Ok(proto::X509svidResponse {
        svids: context
            .credentials
            .iter()
            .map(|it| to_x509_svid(it, &context.bundles))
            .collect::<Result<_, _>>()?,
        crl: Vec::new(),
        federated_bundles: to_x509_map(federated),
    })
}

fn to_x509_svid(credential: &X509Credential, bundles: &BundleSet) -> Result<proto::X509svid, Status> {
    let svid = credential.svid();
    let trust_domain = svid.id().trust_domain();
    let bundle = bundles.bundle(&trust_domain);
    let bundle = bundle
        .ok_or_else(|| Status::unavailable(format!("no bundle of trust domain `{trust_domain}` yet")))?;
    Ok(proto::X509svid {
        spiffe_id: svid.id().to_string(),
        x509_svid: svid.chain_der(),
        x509_svid_key: credential.key().pkcs8_der().to_vec(),
        bundle: bundle.x509_der(),
        hint: credential.hint().to_owned(),
    })
}

pub(crate) fn to_x509_bundles(bundles: &BundleSet) -> proto::X509BundlesResponse {
    proto::X509BundlesResponse { crl: Vec::new(), bundles: to_x509_map(bundles.iter()) }
}

/// Bundles without X.509 authorities are left out: an empty value is no bundle (WAP-10).
fn to_x509_map<'a>(bundles: impl Iterator<Item = &'a Arc<Bundle>>) -> BTreeMap<String, Vec<u8>> {
    let some = bundles.filter(|bundle| !bundle.x509_authorities.is_empty());
    some.map(|bundle| (bundle.trust_domain.id().to_string(), bundle.x509_der())).collect()
}

pub(crate) fn to_jwt_bundles(bundles: &BundleSet) -> proto::JwtBundlesResponse {
    let entry = |bundle: &Arc<Bundle>| (bundle.trust_domain.id().to_string(), bundle.to_jwks().into_bytes());
    proto::JwtBundlesResponse { bundles: bundles.iter().map(entry).collect() }
}

pub(crate) fn to_jwt_svid(svid: &JwtSvid) -> proto::Jwtsvid {
    proto::Jwtsvid {
        spiffe_id: svid.id().to_string(),
        svid: svid.token().to_owned(),
        hint: svid.hint().to_owned(),
    }
}

pub(crate) fn to_validated(svid: &JwtSvid) -> proto::ValidateJwtsvidResponse {
    proto::ValidateJwtsvidResponse {
        spiffe_id: svid.id().to_string(),
        claims: Some(claims::to_struct(svid.claims())),
    }
}

/// The identity asked for; none when empty: all.
pub(crate) fn requested_id(text: &str) -> Result<Option<SpiffeId>, WireError> {
    if text.is_empty() {
        return Ok(None);
    }
    spiffe_id("requested spiffe_id", text).map(Some)
}

fn spiffe_id(field: &'static str, text: &str) -> Result<SpiffeId, WireError> {
    SpiffeId::parse(text).map_err(|source| WireError::SpiffeId { field, source })
}

/// Everything an agent tells at once; of several identities with one hint the first counts (WAP-15).
pub(crate) fn x509_context(response: proto::X509svidResponse) -> Result<X509Context, WireError> {
    let mut bundles = x509_map(response.federated_bundles)?;
    let (mut credentials, mut hints) = (Vec::new(), HashSet::new());
    for svid in response.svids {
        let (credential, bundle) = x509_credential(svid)?;
        if credential.hint().is_empty() || hints.insert(credential.hint().to_owned()) {
            // Last, so that a federated bundle never stands in for one's own.
            bundles.insert(Arc::new(bundle));
            credentials.push(credential);
        }
    }
    let first = credentials.first().ok_or(WireError::Missing("svids"))?;
    let trust_domain = first.svid().id().trust_domain();
    Ok(X509Context { credentials, bundles, trust_domain })
}

fn x509_credential(svid: proto::X509svid) -> Result<(X509Credential, Bundle), WireError> {
    for (field, empty) in [
        ("spiffe_id", svid.spiffe_id.is_empty()),
        ("x509_svid", svid.x509_svid.is_empty()),
        ("x509_svid_key", svid.x509_svid_key.is_empty()),
        ("bundle", svid.bundle.is_empty()),
    ] {
        if empty {
            return Err(WireError::Missing(field));
        }
    }
    let stated = spiffe_id("spiffe_id", &svid.spiffe_id)?;
    let document = X509Svid::parse_der(&svid.x509_svid).map_err(WireError::X509Svid)?;
    same_id("x509-svid", &stated, document.id())?;
    let key = PrivateKey::from_pkcs8_der(&svid.x509_svid_key).map_err(WireError::PrivateKey)?;
    let bundle = Bundle::parse_x509_der(stated.trust_domain(), &svid.bundle).map_err(WireError::Bundle)?;
    Ok((X509Credential::new(document, key, svid.hint).map_err(WireError::X509Svid)?, bundle))
}

pub(crate) fn x509_bundles(response: proto::X509BundlesResponse) -> Result<BundleSet, WireError> {
    x509_map(response.bundles)
}

fn x509_map(bundles: BTreeMap<String, Vec<u8>>) -> Result<BundleSet, WireError> {
    let bundle = |(name, der): (String, Vec<u8>)| {
        Bundle::parse_x509_der(trust_domain(&name)?, &der).map(Arc::new).map_err(WireError::Bundle)
    };
    bundles.into_iter().map(bundle).collect()
}

pub(crate) fn jwt_bundles(response: proto::JwtBundlesResponse) -> Result<BundleSet, WireError> {
    let bundle = |(name, jwks): (String, Vec<u8>)| {
        Bundle::parse_jwks(trust_domain(&name)?, &jwks).map(Arc::new).map_err(WireError::Bundle)
    };
    response.bundles.into_iter().map(bundle).collect()
}

fn trust_domain(key: &str) -> Result<TrustDomain, WireError> {
    id::trust_domain("bundle's trust domain", key)
}

/// A JWT-SVID as an agent gives it. Its claims speak; the ID beside them must agree.
pub(crate) fn jwt_svid(svid: proto::Jwtsvid) -> Result<JwtSvid, WireError> {
    Ok(stated_jwt_svid(&svid.svid, &svid.spiffe_id)?.with_hint(svid.hint))
}

/// A token that is, as someone says, of this ID.
pub(crate) fn stated_jwt_svid(token: &str, id: &str) -> Result<JwtSvid, WireError> {
    let stated = spiffe_id("spiffe_id", id)?;
    let svid = JwtSvid::parse_unverified(token).map_err(WireError::JwtSvid)?;
    same_id("jwt-svid", &stated, svid.id())?;
    Ok(svid)
}

#[cfg(test)]
mod tests;
