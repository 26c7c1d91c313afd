//! Chains of certificates and lists of revoked ones: parsed, and validated against an authority that signed them.

use std::sync::Arc;

use der::{Decode, Encode};
use finial_identity::{Bundle, BundleSet, ForeignChain, RevocationLists, Role, X509Authority, X509Svid};
use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::GeneralName};

use crate::authority::{BUNDLES, LEAF, now, signed};

/// The input is a chain; it is also what the authority is made to sign.
pub(crate) fn certificate(data: &[u8]) {
    if let Some(svid) = chain(data)
        && [Role::Client, Role::Server].iter().any(|role| svid.verify(&BUNDLES, now(), *role).is_ok())
    {
        // The authority has signed one SVID and no other authority.
        assert_eq!(content(svid.leaf()), content(LEAF));
    }
    if let Some(svid) = chain(&signed(data))
        && let Ok(verified) = svid.verify(&BUNDLES, now(), Role::Client)
    {
        assert_eq!(content(verified.leaf()), data, "what verifies is what was signed");
        assert!(verified.not_before() <= now() && now() <= verified.not_after());
    }
    foreign(data);
}

fn content(certificate: &[u8]) -> Vec<u8> {
    Certificate::from_der(certificate).unwrap().tbs_certificate().to_der().unwrap()
}

fn chain(data: &[u8]) -> Option<X509Svid> {
    let svid = X509Svid::parse_der(data).ok()?;
    assert_eq!(svid.chain_der(), data);
    assert!(X509Svid::parse_pem(svid.to_pem().as_bytes()).is_ok_and(|again| again == svid));
    check_leaf(&svid);
    // By its own authorities it may verify or not, and in a bounded time.
    let authorities = svid.chain().iter().filter_map(|der| X509Authority::parse_der(der.to_vec()).ok());
    let x509_authorities = authorities.collect();
    let bundle = Bundle { x509_authorities, ..Bundle::empty(svid.id().trust_domain()) };
    let _ = svid.verify(&BundleSet::from_iter([Arc::new(bundle)]), now(), Role::Server);
    Some(svid)
}

/// X509-SVID §5.2, as another reader of certificates sees the leaf.
fn check_leaf(svid: &X509Svid) {
    let leaf = Certificate::from_der(svid.leaf()).unwrap();
    let leaf = leaf.tbs_certificate();
    let (_, names) = leaf.get_extension::<SubjectAltName>().unwrap().expect("names");
    let uris: Vec<&str> = names
        .0
        .iter()
        .filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(uris, [svid.id().as_str()]);
    assert!(svid.id().has_path());
    let constraints = leaf.get_extension::<BasicConstraints>().unwrap();
    assert!(constraints.is_none_or(|(_, constraints)| !constraints.ca));
    let (_, usage) = leaf.get_extension::<KeyUsage>().unwrap().expect("a key usage");
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
}

/// A certificate of any PKI, which tells names to policies and to backends.
fn foreign(data: &[u8]) {
    let Ok(chain) = ForeignChain::from_chain(vec![CertificateDer::from(data.to_vec())]) else { return };
    assert_eq!(chain.chain()[0].as_ref(), data);
    let _ = (chain.common_name(), chain.subject(), chain.fingerprint(), chain.serial_number_hex());
    if let Ok(authority) = X509Authority::parse_der(data.to_vec()) {
        let _ = chain.verify(&[authority], now());
    }
}

/// The input is lists of revoked certificates, in DER or PEM; it is also what the authority is made to sign.
pub(crate) fn revocation_list(data: &[u8]) {
    let svid = X509Svid::parse_der(LEAF).unwrap();
    for content in [data, &signed(data)] {
        let Ok(lists) = RevocationLists::parse(content) else { continue };
        let both = lists.and(&lists).even_if_expired();
        assert_eq!(both.next_update(), lists.next_update());
        let once = svid.verify_unrevoked(&BUNDLES, &lists.even_if_expired(), now(), Role::Client).is_ok();
        let twice = svid.verify_unrevoked(&BUNDLES, &both, now(), Role::Client).is_ok();
        assert_eq!(once, twice, "a list that is there twice says nothing new");
    }
}
