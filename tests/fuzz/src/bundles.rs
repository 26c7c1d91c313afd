//! Bundles, in each of the forms that somebody sends.

use finial_identity::{Bundle, X509Authority};
use rustls_pki_types::CertificateDer;

use crate::authority::trust_domain;
use crate::grpc::wait;

/// What is read can be written, and reads the same.
pub(crate) fn bundle(data: &[u8]) {
    if let Ok(bundle) = Bundle::parse_spiffe_json(trust_domain(), data) {
        let again = Bundle::parse_spiffe_json(trust_domain(), bundle.to_spiffe_json().as_bytes());
        let mut told = bundle.clone();
        // No JWK can express a key of no known kind.
        told.x509_authorities.retain(|authority| authority.public_key().is_some());
        assert_eq!(again.as_ref().ok(), Some(&told));
        check(&bundle);
    }
    if let Ok(bundle) = Bundle::parse_jwks(trust_domain(), data) {
        let again = Bundle::parse_jwks(trust_domain(), bundle.to_jwks().as_bytes()).unwrap();
        assert_eq!(again.jwt_authorities, bundle.jwt_authorities);
        check(&bundle);
    }
    if let Ok(bundle) = Bundle::parse_pem(trust_domain(), data) {
        check(&bundle);
    }
    if let Ok(bundle) = Bundle::parse_x509_der(trust_domain(), data) {
        check(&bundle);
    }
}

/// The answer of a web server, as an agent fetches its first bundle: it ends, and no more is read than a bundle needs.
pub(crate) fn bundle_answer(data: &[u8]) {
    let Ok(body) = wait(finial_agent::fetched_document(data)) else { return };
    assert!(body.len() <= data.len(), "a body is part of the answer");
    bundle(&body);
}

/// What must hold of a bundle, wherever it came from.
pub(crate) fn check(bundle: &Bundle) {
    let trust_domain = || bundle.trust_domain.clone();
    // Neither form says which of them are tainted.
    let authorities = certificates(bundle);
    let from_der = Bundle::parse_x509_der(trust_domain(), &bundle.x509_der()).unwrap();
    assert_eq!(certificates(&from_der), authorities);
    if !authorities.is_empty() {
        let from_pem = Bundle::parse_pem(trust_domain(), bundle.to_pem().as_bytes()).unwrap();
        assert_eq!(certificates(&from_pem), authorities);
    }
    let mut ids: Vec<_> = bundle.jwt_authorities.iter().map(|authority| &authority.key_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), bundle.jwt_authorities.len(), "an ID names one key");
}

fn certificates(bundle: &Bundle) -> Vec<&CertificateDer<'static>> {
    bundle.x509_authorities.iter().map(X509Authority::certificate).collect()
}
