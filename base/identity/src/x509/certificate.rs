//! What the SPIFFE rules need to know of a certificate, beside what path validation reads by itself.

use std::time::SystemTime;

use der::{
    Decode, Encode, Reader, SliceReader, Tag, Tagged,
    oid::{AssociatedOid, ObjectIdentifier, db::rfc4519},
};
use rustls_pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    ext::{
        Extension,
        pkix::{
            BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
            SubjectKeyIdentifier, name::GeneralName,
        },
    },
    name::Name,
};

/// The rules' view of one certificate.
///
/// Path validation has a parser of its own. A certificate must please both, so that there is none that the two could
/// read in two ways.
pub(crate) struct CertificateView {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    /// Big-endian, in two's complement.
    pub(crate) serial_number: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// The last one of the subject, when it is a text that can be read.
    pub(crate) common_name: Option<String>,
    /// Those of the subject that are texts that can be read.
    pub(crate) organizational_units: Vec<String>,
    pub(crate) has_subject: bool,
    pub(crate) subject_alt_names: Option<Vec<GeneralName>>,
    pub(crate) are_alt_names_critical: bool,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    /// Whether there is a critical extension that nobody here looks at.
    pub(crate) has_unknown_critical: bool,
}

impl CertificateView {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::from_der(der).map_err(CertificateError::Der)?;
        if certificate.to_der().map_err(CertificateError::Der)? != der {
            return Err(CertificateError::OtherForm);
        }
        let tbs = certificate.tbs_certificate();
        let mut view = Self {
            not_before: tbs.validity().not_before.to_system_time(),
            not_after: tbs.validity().not_after.to_system_time(),
            serial_number: tbs.serial_number().as_bytes().to_vec(),
            spki: tbs.subject_public_key_info().to_der().map_err(CertificateError::Der)?,
            common_name: texts(tbs.subject(), rfc4519::COMMON_NAME).pop().flatten(),
            organizational_units: texts(tbs.subject(), rfc4519::OU).into_iter().flatten().collect(),
            has_subject: !tbs.subject().is_empty(),
            subject_alt_names: None,
            are_alt_names_critical: false,
            key_usage: None,
            basic_constraints: None,
            subject_key_id: None,
            has_unknown_critical: false,
        };
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        for (index, extension) in extensions.iter().enumerate() {
            if extensions[..index].iter().any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err(CertificateError::DuplicateExtension(extension.extn_id));
            }
            view.read(extension).map_err(CertificateError::Der)?;
            if view.constraints_have_other_form(extension) {
                return Err(CertificateError::OtherForm);
            }
        }
        Ok(view)
    }

    fn read(&mut self, extension: &Extension) -> Result<(), der::Error> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            SubjectAltName::OID => {
                self.subject_alt_names = Some(SubjectAltName::from_der(value)?.0);
                self.are_alt_names_critical = extension.critical;
            }
            KeyUsage::OID => self.key_usage = Some(KeyUsage::from_der(value)?),
            BasicConstraints::OID => self.basic_constraints = Some(BasicConstraints::from_der(value)?),
            SubjectKeyIdentifier::OID => {
                self.subject_key_id = Some(SubjectKeyIdentifier::from_der(value)?.0.as_bytes().to_vec());
            }
            // Path validation looks at these.
            NameConstraints::OID | ExtendedKeyUsage::OID => {}
            _ => self.has_unknown_critical |= extension.critical,
        }
        Ok(())
    }

    /// Whether these are basic constraints that write out a default, say.
    fn constraints_have_other_form(&self, extension: &Extension) -> bool {
        extension.extn_id == BasicConstraints::OID
            && self.basic_constraints.as_ref().and_then(|constraints| constraints.to_der().ok()).as_deref()
                != Some(extension.extn_value.as_bytes())
    }

    pub(crate) fn is_ca(&self) -> bool {
        self.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// Whether the certificate may sign others (RFC 5280 §6.1.4 k and n).
    pub(crate) fn may_sign(&self) -> bool {
        self.is_ca() && self.key_usage.as_ref().is_none_or(|usage| usage.key_cert_sign())
    }

    /// Whether it may sign lists of revoked certificates (RFC 5280 §6.3.3 f).
    pub(crate) fn may_sign_lists(&self) -> bool {
        self.key_usage.as_ref().is_none_or(|usage| usage.crl_sign())
    }

    /// How many certificate authorities may stand between this one and a leaf.
    pub(crate) fn path_length(&self) -> Option<u8> {
        self.basic_constraints.as_ref().and_then(|constraints| constraints.path_len_constraint)
    }
}

/// The attributes of this kind, each unless it is empty or no text that can be read.
fn texts(subject: &Name, kind: ObjectIdentifier) -> Vec<Option<String>> {
    let values = subject.iter().filter(|attribute| attribute.oid == kind).map(|attribute| &attribute.value);
    let read = values.map(|value| {
        let is_text = matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
        let text = String::from_utf8(value.value().to_vec()).ok()?;
        (is_text && !text.is_empty()).then_some(text)
    });
    read.collect()
}

/// Takes concatenated DER certificates apart, without looking into them.
pub(crate) fn split_der(der: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut reader = SliceReader::new(der).map_err(CertificateError::Der)?;
    let mut certificates = Vec::new();
    while !reader.is_finished() {
        let certificate = reader.tlv_bytes().map_err(CertificateError::Der)?;
        certificates.push(CertificateDer::from(certificate.to_vec()));
    }
    Ok(certificates)
}

/// Why a certificate is refused, whatever its part.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It is no DER certificate, or one of its extensions is malformed.
    #[error("certificate is malformed")]
    Der(#[source] der::Error),
    /// It can be read, and is not in the one form that DER has for what it says: it writes out a default, say. Readers
    /// would differ on whether that is a certificate.
    #[error("certificate is not in the form that der asks for; have its issuer encode it anew")]
    OtherForm,
    /// It has an extension twice; readers would differ in which of them counts. Holds the extension's OID.
    #[error("certificate has the extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// Path validation cannot use it: it has an unknown critical extension, say.
    #[error("certificate cannot be used for path validation")]
    Unusable(#[source] webpki::Error),
}
