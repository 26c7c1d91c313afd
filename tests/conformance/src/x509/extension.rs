//! Extensions of certificates, and the names inside them.

use super::der::{
    self, FALSE, IA5_STRING, INTEGER, OCTET_STRING, SEQUENCE, TRUE, explicit, implicit, oid, sequence, tlv,
};

pub(crate) const SUBJECT_KEY_ID: &str = "2.5.29.14";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(crate) const ISSUER_ALT_NAME: &str = "2.5.29.18";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub(crate) const POLICY_CONSTRAINTS: &str = "2.5.29.36";
pub(crate) const AUTHORITY_KEY_ID: &str = "2.5.29.35";
pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// Nobody's.
pub(crate) const UNKNOWN: &str = "1.2.3.4.5";

pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
pub(crate) const ANY_USAGE: &str = "2.5.29.37.0";

/// An extension as it will stand in a certificate.
#[derive(Clone)]
pub(crate) struct Extension {
    pub(crate) oid: &'static str,
    pub(crate) der: Vec<u8>,
}

/// One whose value is this.
pub(crate) fn extension(id: &'static str, critical: bool, value: &[u8]) -> Extension {
    let critical = if critical { TRUE } else { &[] };
    Extension { oid: id, der: sequence(&[&oid(id), critical, &tlv(OCTET_STRING, value)]) }
}

/// Whether it is an authority, and of how many below it.
pub(crate) fn basic_constraints(ca: bool, path_length: Option<u8>) -> Extension {
    let ca = if ca { TRUE } else { &[] };
    let path_length = path_length.map(|length| tlv(INTEGER, &[length])).unwrap_or_default();
    extension(BASIC_CONSTRAINTS, true, &sequence(&[ca, &path_length]))
}

/// The default written out, which DER forbids and BER allows.
pub(crate) fn basic_constraints_false_in_full() -> Extension {
    extension(BASIC_CONSTRAINTS, true, &sequence(&[FALSE]))
}

/// The bits of a key usage, in their order (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    DigitalSignature = 0,
    KeyEncipherment = 2,
    KeyAgreement = 4,
    KeyCertSign = 5,
    CrlSign = 6,
}

pub(crate) fn key_usage(critical: bool, usages: &[Usage]) -> Extension {
    let byte = usages.iter().fold(0_u8, |byte, usage| byte | 0x80 >> *usage as u8);
    let bits: &[u8] = &[byte.trailing_zeros() as u8, byte];
    extension(KEY_USAGE, critical, &tlv(der::BIT_STRING, if byte == 0 { &[0] } else { bits }))
}

pub(crate) fn extended_key_usage(critical: bool, usages: &[&str]) -> Extension {
    let usages: Vec<u8> = usages.iter().flat_map(|usage| oid(usage)).collect();
    extension(EXTENDED_KEY_USAGE, critical, &tlv(SEQUENCE, &usages))
}

pub(crate) fn alt_names(critical: bool, names: &[Vec<u8>]) -> Extension {
    extension(SUBJECT_ALT_NAME, critical, &tlv(SEQUENCE, &names.concat()))
}

/// Constraints on the names below an authority (RFC 5280 §4.2.1.10).
pub(crate) fn name_constraints(critical: bool, permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Extension {
    let subtrees = |number, names: &[Vec<u8>]| {
        let subtrees: Vec<u8> = names.iter().flat_map(|name| sequence(&[name])).collect();
        if names.is_empty() { Vec::new() } else { explicit(number, &subtrees) }
    };
    let value = sequence(&[&subtrees(0, permitted), &subtrees(1, excluded)]);
    extension(NAME_CONSTRAINTS, critical, &value)
}

/// GeneralNames, each by its tag.
pub(crate) fn other_name(text: &str) -> Vec<u8> {
    explicit(0, &[oid(UNKNOWN), explicit(0, &tlv(der::UTF8_STRING, text.as_bytes()))].concat())
}

pub(crate) fn email(address: &str) -> Vec<u8> {
    implicit(1, address.as_bytes())
}

pub(crate) fn dns(name: &str) -> Vec<u8> {
    implicit(2, name.as_bytes())
}

pub(crate) fn directory(name: &[u8]) -> Vec<u8> {
    explicit(4, name)
}

pub(crate) fn uri(text: &str) -> Vec<u8> {
    uri_bytes(text.as_bytes())
}

pub(crate) fn uri_bytes(text: &[u8]) -> Vec<u8> {
    implicit(6, text)
}

/// A URI name whose tag says that it is made of parts.
pub(crate) fn uri_of_parts(text: &str) -> Vec<u8> {
    explicit(6, &tlv(IA5_STRING, text.as_bytes()))
}

pub(crate) fn ip(octets: &[u8]) -> Vec<u8> {
    implicit(7, octets)
}

pub(crate) fn registered_id(id: &str) -> Vec<u8> {
    implicit(8, der::content(&oid(id)).unwrap_or_default())
}
