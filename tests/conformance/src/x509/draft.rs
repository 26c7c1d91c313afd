//! What a certificate shall say, before somebody signs it.

use aws_lc_rs::digest::{SHA256, digest};

use super::{
    der::{
        self, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, UTF8_STRING, explicit, implicit, oid, sequence,
        set, tlv,
    },
    extension::{
        AUTHORITY_KEY_ID, CLIENT_AUTH, Extension, SERVER_AUTH, SUBJECT_KEY_ID, Usage, alt_names,
        basic_constraints, extended_key_usage, extension, key_usage, uri,
    },
    keys::Key,
};

/// The fields of a certificate, each as it will be written.
#[derive(Clone)]
pub(crate) struct Draft {
    /// The content of the version's INTEGER; none for version 1, the default.
    pub(crate) version: Option<u8>,
    /// The whole serial number; made from the rest when there is none.
    pub(crate) serial_number: Option<Vec<u8>>,
    /// The issuer's name, when not that of the authority that signs.
    pub(crate) issuer: Option<Vec<u8>>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// What stands between the key and the extensions.
    pub(crate) unique_ids: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
    /// The algorithm in the signed part, when not that of the signature.
    pub(crate) algorithm: Option<Vec<u8>>,
}

/// An X.509-SVID of this workload, as SPIRE makes it.
pub(crate) fn svid(id: &str, key: &Key) -> Draft {
    named(&[uri(id)], key)
}

/// A leaf with these names, otherwise as SPIRE makes it.
pub(crate) fn named(names: &[Vec<u8>], key: &Key) -> Draft {
    let usages = [Usage::DigitalSignature, Usage::KeyEncipherment, Usage::KeyAgreement];
    Draft {
        version: Some(2),
        serial_number: None,
        issuer: None,
        not_before: utc("260101000000Z"),
        not_after: utc("360101000000Z"),
        subject: name("workload"),
        spki: key.spki.clone(),
        unique_ids: Vec::new(),
        extensions: vec![
            key_usage(true, &usages),
            extended_key_usage(false, &[SERVER_AUTH, CLIENT_AUTH]),
            basic_constraints(false, None),
            alt_names(false, names),
        ],
        algorithm: None,
    }
}

/// A signing certificate of this name, as SPIRE makes it.
pub(crate) fn authority(common_name: &str, key: &Key) -> Draft {
    Draft {
        subject: name(common_name),
        extensions: vec![
            key_usage(true, &[Usage::KeyCertSign, Usage::CrlSign]),
            basic_constraints(true, None),
            alt_names(false, &[uri("spiffe://example.org")]),
            extension(SUBJECT_KEY_ID, false, &tlv(der::OCTET_STRING, &key_id(&key.spki))),
        ],
        ..named(&[], key)
    }
}

impl Draft {
    pub(crate) fn with(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn without(mut self, oid: &str) -> Self {
        self.extensions.retain(|extension| extension.oid != oid);
        self
    }

    /// With this extension in place of the one of the same kind.
    pub(crate) fn having(self, extension: Extension) -> Self {
        self.without(extension.oid).with(extension)
    }

    pub(crate) fn valid(mut self, not_before: Vec<u8>, not_after: Vec<u8>) -> Self {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    pub(crate) fn of(mut self, subject: Vec<u8>) -> Self {
        self.subject = subject;
        self
    }

    /// With the authority key identifier of this key.
    pub(crate) fn below(self, spki: &[u8]) -> Self {
        self.having(extension(AUTHORITY_KEY_ID, false, &sequence(&[&implicit(0, &key_id(spki))])))
    }

    /// The part of the certificate that is signed.
    pub(crate) fn to_be_signed(&self, issuer: &[u8], algorithm: &[u8]) -> Vec<u8> {
        let version = self.version.map(|version| explicit(0, &tlv(INTEGER, &[version]))).unwrap_or_default();
        let extensions: Vec<u8> =
            self.extensions.iter().flat_map(|extension| extension.der.clone()).collect();
        let extensions = match self.extensions.is_empty() {
            true => Vec::new(),
            false => explicit(3, &tlv(SEQUENCE, &extensions)),
        };
        let rest = [
            self.algorithm.as_deref().unwrap_or(algorithm),
            self.issuer.as_deref().unwrap_or(issuer),
            &sequence(&[&self.not_before, &self.not_after]),
            &self.subject,
            &self.spki,
            &self.unique_ids,
            &extensions,
        ]
        .concat();
        let serial_number = self.serial_number.clone().unwrap_or_else(|| serial_number(&rest));
        sequence(&[&version, &serial_number, &rest])
    }
}

/// A positive number of eight bytes that only this content has.
fn serial_number(content: &[u8]) -> Vec<u8> {
    let mut number = digest(&SHA256, content).as_ref()[..8].to_vec();
    number[0] = number[0] & 0x3f | 0x40;
    tlv(INTEGER, &number)
}

fn key_id(spki: &[u8]) -> Vec<u8> {
    digest(&SHA256, spki).as_ref()[..20].to_vec()
}

/// A name of one common name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    name_in(UTF8_STRING, common_name.as_bytes())
}

/// A name of one common name, as a string of this kind.
pub(crate) fn name_in(tag: u8, common_name: &[u8]) -> Vec<u8> {
    sequence(&[&set(&[&sequence(&[&oid("2.5.4.3"), &tlv(tag, common_name)])])])
}

/// A time of the years 1950 to 2049: `YYMMDDhhmmssZ`.
pub(crate) fn utc(text: &str) -> Vec<u8> {
    tlv(UTC_TIME, text.as_bytes())
}

/// A time of any year: `YYYYMMDDhhmmssZ`.
pub(crate) fn generalized(text: &str) -> Vec<u8> {
    tlv(GENERALIZED_TIME, text.as_bytes())
}
