//! Names and extensions of authorities and SVIDs: SPIRE's profile, field by field.

use der::asn1::{Any, ObjectIdentifier};
use der::{AnyRef, Encode, Tag, TagNumber};
use finial_identity::{KeyKind, PublicKey, SpiffeId};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

use super::X509Request;
use super::tbs::Extension;
use crate::{CaSubject, IssueError};

const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// `keyCertSign`, `cRLSign`.
const KEY_USAGE_AUTHORITY: &[u8] = &[0x03, 0x02, 0x01, 0x06];
/// `digitalSignature`, `keyEncipherment`, `keyAgreement`.
const KEY_USAGE_SVID: &[u8] = &[0x03, 0x02, 0x03, 0xa8];
/// `digitalSignature` alone, which is all that RFC 8410 §5 allows for Ed25519.
const KEY_USAGE_SVID_ED25519: &[u8] = &[0x03, 0x02, 0x07, 0x80];
/// `serverAuth` and `clientAuth`: both or none (X509-SVID §4.4).
const EXTENDED_KEY_USAGE_SVID: &[u8] = &[
    0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01,
    0x05, 0x05, 0x07, 0x03, 0x02,
];
/// `cA` true, no `pathLenConstraint`.
const BASIC_CONSTRAINTS_AUTHORITY: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
/// `cA` false, by its default.
const BASIC_CONSTRAINTS_SVID: &[u8] = &[0x30, 0x00];

/// The name of an authority: the configured subject and its certificate's serial number, which keeps the names of
/// successive authorities apart when a peer builds a path.
pub(super) fn authority_name(subject: &CaSubject, serial: u128) -> Result<Vec<u8>, IssueError> {
    let mut rdns = vec![rdn(COUNTRY, &subject.country)?, rdn(ORGANIZATION, &subject.organization)?];
    if !subject.common_name.is_empty() {
        rdns.push(rdn(COMMON_NAME, &[&subject.common_name])?);
    }
    rdns.push(rdn(SERIAL_NUMBER, &[serial.to_string()])?);
    name(rdns)
}

/// The name of an SVID: `C=US, O=SPIRE`, and the first DNS name as CN for peers that still look there.
pub(super) fn svid_name(dns_names: &[String]) -> Result<Vec<u8>, IssueError> {
    let mut rdns = vec![rdn(COUNTRY, &["US"])?, rdn(ORGANIZATION, &["SPIRE"])?];
    if let Some(first) = dns_names.first() {
        rdns.push(rdn(COMMON_NAME, &[first])?);
    }
    name(rdns)
}

/// The extensions of an authority (X509-SVID §3.2, §4.1, §4.3): its SPIFFE ID is the trust domain's, without a path.
pub(super) fn authority_extensions(id: &SpiffeId, key: &PublicKey) -> Result<Vec<Extension>, IssueError> {
    Ok(vec![
        Extension::critical(KEY_USAGE, KEY_USAGE_AUTHORITY)?,
        Extension::critical(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_AUTHORITY)?,
        Extension::new(SUBJECT_KEY_IDENTIFIER, subject_key_id(key))?,
        Extension::new(SUBJECT_ALT_NAME, alternative_names(id, &[])?)?,
    ])
}

/// The extensions of an SVID (X509-SVID §2, §4): exactly one URI name, and it is the granted one.
pub(super) fn svid_extensions(
    request: &X509Request<'_>,
    key: &PublicKey,
    authority_key_id: &[u8],
) -> Result<Vec<Extension>, IssueError> {
    let key_usage = if key.kind() == KeyKind::Ed25519 { KEY_USAGE_SVID_ED25519 } else { KEY_USAGE_SVID };
    Ok(vec![
        Extension::critical(KEY_USAGE, key_usage)?,
        Extension::new(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_SVID)?,
        Extension::critical(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_SVID)?,
        Extension::new(SUBJECT_KEY_IDENTIFIER, subject_key_id(key))?,
        Extension::new(AUTHORITY_KEY_IDENTIFIER, authority_key_id)?,
        Extension::new(SUBJECT_ALT_NAME, alternative_names(request.id, request.dns_names)?)?,
    ])
}

/// The value of an authority key identifier extension: the identifier alone.
pub(super) fn authority_key_id(subject_key_id: &[u8; 20]) -> Vec<u8> {
    [&[0x30, 0x16, 0x80, 0x14], &subject_key_id[..]].concat()
}

fn subject_key_id(key: &PublicKey) -> Vec<u8> {
    [&[0x04, 0x14], &key.subject_key_id()[..]].concat()
}

fn alternative_names(id: &SpiffeId, dns_names: &[String]) -> Result<Vec<u8>, IssueError> {
    let general_name = |number, text| {
        AnyRef::new(
            Tag::ContextSpecific { constructed: false, number: TagNumber(number) },
            str::as_bytes(text),
        )
    };
    let mut names = vec![general_name(6, id.as_str())?];
    for dns_name in dns_names {
        names.push(general_name(2, dns_name)?);
    }
    Ok(names.to_der()?)
}

fn name(rdns: Vec<RelativeDistinguishedName>) -> Result<Vec<u8>, IssueError> {
    let rdns: Vec<_> = rdns.into_iter().filter(|rdn| !rdn.is_empty()).collect();
    Ok(RdnSequence::from(rdns).to_der()?)
}

fn rdn<T: AsRef<str>>(oid: ObjectIdentifier, values: &[T]) -> Result<RelativeDistinguishedName, IssueError> {
    let attributes: Result<Vec<_>, der::Error> = values
        .iter()
        .map(|value| {
            let text = value.as_ref();
            let tag = if is_printable(text) { Tag::PrintableString } else { Tag::Utf8String };
            Ok(AttributeTypeAndValue { oid, value: Any::new(tag, text.as_bytes())? })
        })
        .collect();
    Ok(RelativeDistinguishedName::try_from(attributes?)?)
}

/// Whether a PrintableString can hold it (X.680 §41.4); RFC 5280 asks for that type in countries and serial numbers.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte))
}
