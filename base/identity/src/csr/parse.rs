//! Reading a certificate request, from exactly the bytes that its signature covers.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use der::{
    Decode, Encode, Reader, SliceReader, Tag,
    asn1::BitStringRef,
    oid::{
        AssociatedOid, ObjectIdentifier,
        db::{rfc5912, rfc8410},
    },
};
use x509_cert::{
    ext::{
        Extension,
        pkix::{SubjectAltName, name::GeneralName},
    },
    request::{CertReqInfo, ExtensionReq},
    spki::AlgorithmIdentifierRef,
};

use super::{CertificateRequest, CsrError};
use crate::{KeyKind, PublicKey};

pub(super) fn request(der: &[u8]) -> Result<CertificateRequest, CsrError> {
    if der.len() > CertificateRequest::MAX_BYTES {
        return Err(CsrError::TooLarge(der.len()));
    }
    let (signed, algorithm, signature) = take_apart(der).map_err(CsrError::Malformed)?;
    let info = CertReqInfo::from_der(signed).map_err(CsrError::Malformed)?;
    let spki = info.public_key.to_der().map_err(CsrError::Malformed)?;
    let public_key = PublicKey::from_spki_der(&spki).map_err(CsrError::PublicKey)?;
    let verification = verification(algorithm, public_key.kind())
        .ok_or(CsrError::Algorithm { algorithm, kind: public_key.kind() })?;
    if !public_key.has_signed(verification, signed, signature) {
        return Err(CsrError::Signature);
    }
    let (uri_names, dns_names) = names(&info).map_err(CsrError::Malformed)?;
    if uri_names.len() > 1 {
        return Err(CsrError::UriNames(uri_names.len()));
    }
    let subject = info.subject.to_der().map_err(CsrError::Malformed)?;
    Ok(CertificateRequest { public_key, subject, uri_names, dns_names })
}

/// The three parts: what is signed, with which algorithm, and the signature.
fn take_apart(der: &[u8]) -> Result<(&[u8], ObjectIdentifier, &[u8]), der::Error> {
    let mut reader = SliceReader::new(der)?;
    let parts = reader.sequence(|reader| {
        let signed = reader.tlv_bytes()?;
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        let signature = BitStringRef::decode(reader)?;
        let signature = signature.as_bytes().ok_or_else(|| der::Error::from(Tag::BitString.value_error()))?;
        Ok::<_, der::Error>((signed, algorithm.oid, signature))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// The URI and DNS names of every subject alternative name in every extension request.
fn names(info: &CertReqInfo) -> Result<(Vec<String>, Vec<String>), der::Error> {
    let (mut uri_names, mut dns_names) = (Vec::new(), Vec::new());
    let requests = info.attributes.iter().filter(|attribute| attribute.oid == ExtensionReq::OID);
    for value in requests.flat_map(|attribute| attribute.values.iter()) {
        let extensions: Vec<Extension> = value.decode_as()?;
        for extension in extensions.iter().filter(|extension| extension.extn_id == SubjectAltName::OID) {
            for name in SubjectAltName::from_der(extension.extn_value.as_bytes())?.0 {
                match name {
                    GeneralName::UniformResourceIdentifier(uri) => uri_names.push(uri.to_string()),
                    GeneralName::DnsName(name) => dns_names.push(name.to_string()),
                    _ => {}
                }
            }
        }
    }
    Ok((uri_names, dns_names))
}

/// The library's algorithm, if the request's fits its key: the key chooses, not the request alone.
fn verification(algorithm: ObjectIdentifier, kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (algorithm, kind) {
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP256) => &signature::ECDSA_P256_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP256) => &signature::ECDSA_P256_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP256) => &signature::ECDSA_P256_SHA512_ASN1,
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP384) => &signature::ECDSA_P384_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP384) => &signature::ECDSA_P384_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP384) => &signature::ECDSA_P384_SHA512_ASN1,
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP521) => &signature::ECDSA_P521_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP521) => &signature::ECDSA_P521_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP521) => &signature::ECDSA_P521_SHA512_ASN1,
        (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (rfc5912::SHA_384_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (rfc5912::SHA_512_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (rfc8410::ID_ED_25519, KeyKind::Ed25519) => &signature::ED25519,
        _ => return None,
    })
}
