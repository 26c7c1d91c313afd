//! Making a certificate request.

use std::str::FromStr;

use der::{
    Decode, Encode,
    asn1::{Any, BitString, Ia5String, OctetString},
    oid::{
        AssociatedOid,
        db::{rfc5912, rfc8410},
    },
};
use x509_cert::{
    attr::{Attribute, Attributes},
    ext::{
        Extension,
        pkix::{SubjectAltName, name::GeneralName},
    },
    name::Name,
    request::{CertReq, CertReqInfo, ExtensionReq, Version},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

use super::CsrError;
use crate::{KeyKind, PrivateKey, SpiffeId};

pub(super) fn request(key: &PrivateKey, id: Option<&SpiffeId>) -> Result<Vec<u8>, CsrError> {
    let subject = Name::from_str("O=SPIRE,C=US").map_err(CsrError::Encode)?;
    signed(key, info(key, subject, id, &[] as &[&str]).map_err(CsrError::Encode)?)
}

pub(super) fn request_to_mint(
    key: &PrivateKey,
    id: &SpiffeId,
    dns_names: &[impl AsRef<str>],
) -> Result<Vec<u8>, CsrError> {
    signed(key, info(key, Name::default(), Some(id), dns_names).map_err(CsrError::Encode)?)
}

fn signed(key: &PrivateKey, info: CertReqInfo) -> Result<Vec<u8>, CsrError> {
    let signature = key.sign(&info.to_der().map_err(CsrError::Encode)?).map_err(CsrError::Sign)?;
    assemble(info, key.public_key().kind(), &signature).map_err(CsrError::Encode)
}

fn info(
    key: &PrivateKey,
    subject: Name,
    id: Option<&SpiffeId>,
    dns_names: &[impl AsRef<str>],
) -> Result<CertReqInfo, der::Error> {
    let mut attributes = Attributes::default();
    if let Some(id) = id {
        attributes.insert(names(id, dns_names)?)?;
    }
    Ok(CertReqInfo {
        version: Version::V1,
        subject,
        public_key: SubjectPublicKeyInfoOwned::from_der(key.public_key().spki_der())?,
        attributes,
    })
}

fn names(id: &SpiffeId, dns_names: &[impl AsRef<str>]) -> Result<Attribute, der::Error> {
    let mut names = vec![GeneralName::UniformResourceIdentifier(Ia5String::new(id.as_str())?)];
    for name in dns_names {
        names.push(GeneralName::DnsName(Ia5String::new(name.as_ref())?));
    }
    let names = SubjectAltName(names);
    let extension = Extension {
        extn_id: SubjectAltName::OID,
        critical: false,
        extn_value: OctetString::new(names.to_der()?)?,
    };
    ExtensionReq(vec![extension]).try_into()
}

fn assemble(info: CertReqInfo, kind: KeyKind, signature: &[u8]) -> Result<Vec<u8>, der::Error> {
    let algorithm = signature_algorithm(kind);
    CertReq { info, algorithm, signature: BitString::from_bytes(signature)? }.to_der()
}

/// What [`PrivateKey::sign`] signs with.
fn signature_algorithm(kind: KeyKind) -> AlgorithmIdentifierOwned {
    let (oid, parameters) = match kind {
        KeyKind::EcP256 => (rfc5912::ECDSA_WITH_SHA_256, None),
        KeyKind::EcP384 => (rfc5912::ECDSA_WITH_SHA_384, None),
        KeyKind::EcP521 => (rfc5912::ECDSA_WITH_SHA_512, None),
        KeyKind::Rsa { .. } => (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Some(Any::null())),
        KeyKind::Ed25519 => (rfc8410::ID_ED_25519, None),
    };
    AlgorithmIdentifierOwned { oid, parameters }
}
