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
    let info = info(key, id).map_err(CsrError::Encode)?;
    let signature = key.sign(&info.to_der().map_err(CsrError::Encode)?).map_err(CsrError::Sign)?;
    assemble(info, key.public_key().kind(), &signature).map_err(CsrError::Encode)
}

fn info(key: &PrivateKey, id: Option<&SpiffeId>) -> Result<CertReqInfo, der::Error> {
    let mut attributes = Attributes::default();
    if let Some(id) = id {
        attributes.insert(names(id)?)?;
    }
    Ok(CertReqInfo {
        version: Version::V1,
        subject: Name::from_str("O=SPIRE,C=US")?,
        public_key: SubjectPublicKeyInfoOwned::from_der(key.public_key().spki_der())?,
        attributes,
    })
}

fn names(id: &SpiffeId) -> Result<Attribute, der::Error> {
    let names = SubjectAltName(vec![GeneralName::UniformResourceIdentifier(Ia5String::new(id.as_str())?)]);
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
