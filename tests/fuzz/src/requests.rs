//! Certificate requests, beside what another reader sees in them.

use der::{Decode, Encode};
use finial_identity::{CertificateRequest, PublicKey};
use x509_cert::request::CertReq;

use crate::authority::signed;

/// The input is a request; it is also what the holder of a key is made to sign.
pub(crate) fn certificate_request(data: &[u8]) {
    check(data);
    check(&signed(data));
}

fn check(der: &[u8]) {
    let Ok(request) = CertificateRequest::parse_der(der) else { return };
    let other = CertReq::from_der(der).unwrap();
    let spki = other.info.public_key.to_der().unwrap();
    assert_eq!(request.public_key().spki_der(), spki, "the key is the one that has signed");
    assert_eq!(PublicKey::from_spki_der(&spki).as_ref().ok(), Some(request.public_key()));
    assert_eq!(request.subject_der(), other.info.subject.to_der().unwrap());
    assert!(request.uri_names().len() <= 1);
}
