//! Reading a certificate request, from exactly the bytes that its signature covers.

use der::{Decode, Encode, oid::AssociatedOid};
use x509_cert::{
    ext::{
        Extension,
        pkix::{SubjectAltName, name::GeneralName},
    },
    request::{CertReqInfo, ExtensionReq},
};

use super::{CertificateRequest, CsrError};
use crate::{PublicKey, signed::SignedParts};

pub(super) fn request(der: &[u8]) -> Result<CertificateRequest, CsrError> {
    if der.len() > CertificateRequest::MAX_BYTES {
        return Err(CsrError::TooLarge(der.len()));
    }
    let parts = SignedParts::take_apart(der).map_err(CsrError::Malformed)?;
    let info = CertReqInfo::from_der(parts.signed).map_err(CsrError::Malformed)?;
    let spki = info.public_key.to_der().map_err(CsrError::Malformed)?;
    let public_key = PublicKey::from_spki_der(&spki).map_err(CsrError::PublicKey)?;
    match parts.are_signed_by(&public_key) {
        None => {
            return Err(CsrError::Algorithm { algorithm: parts.algorithm, kind: public_key.kind() });
        }
        Some(false) => return Err(CsrError::Signature),
        Some(true) => {}
    }
    let (uri_names, dns_names) = names(&info).map_err(CsrError::Malformed)?;
    if uri_names.len() > 1 {
        return Err(CsrError::UriNames(uri_names.len()));
    }
    let subject = info.subject.to_der().map_err(CsrError::Malformed)?;
    Ok(CertificateRequest { public_key, subject, uri_names, dns_names })
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
