//! The hash is that of the signature, whatever the key of the leaf.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use der::{AnyRef, Decode};
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls_pki_types::CertificateDer;

use super::{hash_of_pss, tls_server_end_point};

fn signed_by(algorithm: &'static SignatureAlgorithm) -> CertificateDer<'static> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertificateParams::default().self_signed(&key).unwrap().der().clone()
}

#[test]
fn digest_is_by_the_hash_of_the_signature() {
    for (algorithm, hash) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, &SHA256),
        (&rcgen::PKCS_ECDSA_P384_SHA384, &SHA384),
        (&rcgen::PKCS_RSA_SHA256, &SHA256),
        (&rcgen::PKCS_RSA_SHA384, &SHA384),
        (&rcgen::PKCS_RSA_SHA512, &SHA512),
    ] {
        let leaf = signed_by(algorithm);
        assert_eq!(tls_server_end_point(&leaf).unwrap(), digest(hash, &leaf).as_ref(), "{algorithm:?}");
    }
}

#[test]
fn pss_names_its_hash_and_is_sha_1_without() {
    // As OpenSSL writes them: SHA-512, MGF1 with SHA-512, a salt of 64 bytes.
    let sha512 = "3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500\
                  a203020140";
    for (parameters, hash) in [(sha512, &SHA512), ("3000", &SHA256)] {
        let der = hex::decode(parameters).unwrap();
        assert_eq!(hash_of_pss(AnyRef::from_der(&der).unwrap()), Some(hash), "{parameters}");
    }
    let md5 = hex::decode("3010a00e300c06082a864886f70d02050500").unwrap();
    assert_eq!(hash_of_pss(AnyRef::from_der(&md5).unwrap()), None);
}

#[test]
fn ed25519_has_none() {
    assert_eq!(tls_server_end_point(&signed_by(&rcgen::PKCS_ED25519)), None);
}

#[test]
fn what_is_no_certificate_has_none() {
    assert_eq!(tls_server_end_point(&CertificateDer::from(vec![0x30, 0])), None);
}
