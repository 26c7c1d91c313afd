//! The messages of delegated identity.

use std::collections::BTreeMap;

use finial_identity::{BundleSet, PrivateKey, SelectorSet, TrustDomain, X509Credential};
use tonic::Status;

use super::{id, svid};
use crate::error::WireError;
use crate::proto::delegated as proto;
use crate::proto::types;
use crate::{DelegatedIdentities, DelegatedWorkload};

/// The workload that is asked for: by selectors or by process ID, and never by both. The texts are SPIRE's.
pub(crate) fn workload(selectors: Vec<types::Selector>, pid: i32) -> Result<DelegatedWorkload, Status> {
    match (selectors.is_empty(), pid) {
        (false, 0) => {
            let selectors = id::selectors(selectors);
            let selectors = selectors.map_err(|error| error.refusal_of("could not parse provided selectors"));
            Ok(DelegatedWorkload::Selectors(selectors?))
        }
        (true, 1..) => Ok(DelegatedWorkload::Process(pid)),
        _ => Err(Status::invalid_argument("must provide either selectors or non-zero PID, but not both")),
    }
}

/// The two fields that name a workload.
pub(crate) fn to_workload(workload: &DelegatedWorkload) -> (Vec<types::Selector>, i32) {
    match workload {
        DelegatedWorkload::Selectors(selectors) => (id::to_selectors(selectors), 0),
        DelegatedWorkload::Process(pid) => (id::to_selectors(&SelectorSet::default()), *pid),
    }
}

pub(crate) fn to_identities(identities: &DelegatedIdentities) -> proto::SubscribeToX509sviDsResponse {
    proto::SubscribeToX509sviDsResponse {
        x509_svids: identities.credentials.iter().map(to_credential).collect(),
        federates_with: identities.federates_with.iter().map(|name| name.id().to_string()).collect(),
    }
}

fn to_credential(credential: &X509Credential) -> proto::X509svidWithKey {
    let svid =
        types::X509svid { hint: credential.hint().to_owned(), ..svid::to_x509_svid(credential.svid()) };
    proto::X509svidWithKey { x509_svid: Some(svid), x509_svid_key: credential.key().pkcs8_der().to_vec() }
}

pub(crate) fn identities(
    response: proto::SubscribeToX509sviDsResponse,
) -> Result<DelegatedIdentities, WireError> {
    let federates_with = response.federates_with.iter();
    Ok(DelegatedIdentities {
        credentials: response.x509_svids.into_iter().map(credential).collect::<Result<_, _>>()?,
        federates_with: federates_with
            .map(|name| id::trust_domain("federates_with", name))
            .collect::<Result<_, _>>()?,
    })
}

fn credential(svid: proto::X509svidWithKey) -> Result<X509Credential, WireError> {
    let hint = svid.x509_svid.as_ref().map(|svid| svid.hint.clone()).unwrap_or_default();
    let document = svid::x509_svid(svid.x509_svid)?;
    let key = PrivateKey::from_pkcs8_der(&svid.x509_svid_key).map_err(WireError::PrivateKey)?;
    X509Credential::new(document, key, hint).map_err(WireError::X509Svid)
}

pub(crate) fn to_x509_bundles(bundles: &BundleSet) -> proto::SubscribeToX509BundlesResponse {
    let some = bundles.iter().filter(|bundle| !bundle.x509_authorities.is_empty());
    proto::SubscribeToX509BundlesResponse {
        ca_certificates: some.map(|it| (key(&it.trust_domain), it.x509_der())).collect(),
    }
}

pub(crate) fn to_jwt_bundles(bundles: &BundleSet) -> proto::SubscribeToJwtBundlesResponse {
    let document = |bundle: &std::sync::Arc<finial_identity::Bundle>| {
        (key(&bundle.trust_domain), bundle.to_jwks().into_bytes())
    };
    proto::SubscribeToJwtBundlesResponse { bundles: bundles.iter().map(document).collect() }
}

fn key(trust_domain: &TrustDomain) -> String {
    trust_domain.id().to_string()
}

/// Documents by the SPIFFE ID of a trust domain, each read by `read`.
pub(crate) fn bundles(
    documents: BTreeMap<String, Vec<u8>>,
    read: fn(TrustDomain, &[u8]) -> Result<finial_identity::Bundle, finial_identity::BundleError>,
) -> Result<BundleSet, WireError> {
    let parse = |(name, document): (String, Vec<u8>)| {
        let trust_domain = id::trust_domain("bundle's trust domain", &name)?;
        Ok(std::sync::Arc::new(read(trust_domain, &document).map_err(WireError::Bundle)?))
    };
    documents.into_iter().map(parse).collect()
}
