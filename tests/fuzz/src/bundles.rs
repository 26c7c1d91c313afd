//! Bundles, in each of the forms that somebody sends.

use finial_identity::Bundle;

use crate::authority::trust_domain;

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

fn check(bundle: &Bundle) {
    let authorities = &bundle.x509_authorities;
    let from_der = Bundle::parse_x509_der(trust_domain(), &bundle.x509_der()).unwrap();
    assert_eq!(&from_der.x509_authorities, authorities);
    if !authorities.is_empty() {
        let from_pem = Bundle::parse_pem(trust_domain(), bundle.to_pem().as_bytes()).unwrap();
        assert_eq!(&from_pem.x509_authorities, authorities);
    }
    let mut ids: Vec<_> = bundle.jwt_authorities.iter().map(|authority| &authority.key_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), bundle.jwt_authorities.len(), "an ID names one key");
}
