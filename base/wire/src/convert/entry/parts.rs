//! What a message says of an entry, borrowed from the message or from its bytes, and an entry as such bytes; its revision
//! too. Thousands travel in one synchronisation: there a message in between would cost more than all the rest.

#[cfg(test)]
mod tests;

use bytes::{BufMut, BytesMut};
use finial_identity::{Entry, Selector, SpiffeId};
use prost::DecodeError;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, encoded_len_varint,
    skip_field,
};

use super::super::time;
use crate::proto::types;

/// An entry's fields, none of them checked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts<'a> {
    pub(super) id: &'a str,
    pub(super) spiffe_id: Option<Pair<'a>>,
    pub(super) parent_id: Option<Pair<'a>>,
    pub(super) selectors: Vec<Pair<'a>>,
    pub(super) x509_svid_ttl: i32,
    pub(super) jwt_svid_ttl: i32,
    pub(super) federates_with: Vec<&'a str>,
    pub(super) admin: bool,
    pub(super) downstream: bool,
    pub(super) store_svid: bool,
    pub(super) expires_at: i64,
    pub(super) dns_names: Vec<&'a str>,
    pub(super) revision_number: i64,
    pub(super) hint: &'a str,
    pub(super) created_at: i64,
    pub(super) x509_svid_prefetch_disabled: bool,
    pub(super) jwt_svid_includes_jti: bool,
}

/// A message of two texts: a trust domain and a path, or a selector's type and value.
pub(super) type Pair<'a> = (&'a str, &'a str);

impl<'a> Parts<'a> {
    /// The fields of a message.
    pub(super) fn of(entry: &'a types::Entry) -> Self {
        let id = |id: &'a types::Spiffeid| (id.trust_domain.as_str(), id.path.as_str());
        let selector = |selector: &'a types::Selector| (selector.r#type.as_str(), selector.value.as_str());
        let attributes = entry.additional_attributes.unwrap_or_default();
        Self {
            id: &entry.id,
            spiffe_id: entry.spiffe_id.as_ref().map(id),
            parent_id: entry.parent_id.as_ref().map(id),
            selectors: entry.selectors.iter().map(selector).collect(),
            x509_svid_ttl: entry.x509_svid_ttl,
            jwt_svid_ttl: entry.jwt_svid_ttl,
            federates_with: entry.federates_with.iter().map(String::as_str).collect(),
            admin: entry.admin,
            downstream: entry.downstream,
            store_svid: entry.store_svid,
            expires_at: entry.expires_at,
            dns_names: entry.dns_names.iter().map(String::as_str).collect(),
            revision_number: entry.revision_number,
            hint: &entry.hint,
            created_at: entry.created_at,
            x509_svid_prefetch_disabled: attributes.disable_x509_svid_prefetch,
            jwt_svid_includes_jti: attributes.jwt_svid_include_jti,
        }
    }

    /// The fields of an encoded message. As in all of protobuf, the last one counts of what may be there once, and
    /// unknown fields are passed over.
    ///
    /// # Errors
    /// When the bytes are no such message.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self::default();
        for_each_field(bytes, |tag, field| {
            match tag {
                1 => parts.id = field.text()?,
                2 => parts.spiffe_id = Some(field.pair(parts.spiffe_id.unwrap_or_default())?),
                3 => parts.parent_id = Some(field.pair(parts.parent_id.unwrap_or_default())?),
                4 => parts.selectors.push(field.pair(Pair::default())?),
                5 => parts.x509_svid_ttl = field.number()? as i32,
                6 => parts.federates_with.push(field.text()?),
                7 => parts.admin = field.number()? != 0,
                8 => parts.downstream = field.number()? != 0,
                9 => parts.expires_at = field.number()? as i64,
                10 => parts.dns_names.push(field.text()?),
                11 => parts.revision_number = field.number()? as i64,
                12 => parts.store_svid = field.number()? != 0,
                13 => parts.jwt_svid_ttl = field.number()? as i32,
                14 => parts.hint = field.text()?,
                15 => parts.created_at = field.number()? as i64,
                16 => for_each_field(field.bytes()?, |tag, field| {
                    match tag {
                        1 => parts.x509_svid_prefetch_disabled = field.number()? != 0,
                        2 => parts.jwt_svid_includes_jti = field.number()? != 0,
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(parts)
    }
}

/// What tells an agent whether the entry it holds is the server's.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Revision<'a> {
    pub(crate) id: &'a str,
    pub(crate) number: i64,
    pub(crate) created_at: i64,
}

impl<'a> Revision<'a> {
    /// The fields of an encoded `EntryRevision`.
    ///
    /// # Errors
    /// When the bytes are no such message.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut revision = Self::default();
        for_each_field(bytes, |tag, field| {
            match tag {
                1 => revision.id = field.text()?,
                2 => revision.number = field.number()? as i64,
                3 => revision.created_at = field.number()? as i64,
                _ => {}
            }
            Ok(())
        })?;
        Ok(revision)
    }
}

/// The bytes are no message of an entry.
#[derive(Debug)]
pub(super) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a kind that no field of an entry has.
    Other,
}

impl<'a> Field<'a> {
    fn number(self) -> Result<u64, Malformed> {
        if let Self::Number(number) = self { Ok(number) } else { Err(Malformed) }
    }

    fn bytes(self) -> Result<&'a [u8], Malformed> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed) }
    }

    fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// A message of two texts, over what came before of it.
    fn pair(self, mut pair: Pair<'a>) -> Result<Pair<'a>, Malformed> {
        for_each_field(self.bytes()?, |tag, field| {
            match tag {
                1 => pair.0 = field.text()?,
                2 => pair.1 = field.text()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(pair)
    }
}

fn for_each_field<'a>(
    mut rest: &'a [u8],
    mut take: impl FnMut(u32, Field<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let (tag, kind) = decode_key(&mut rest)?;
        let field = match kind {
            WireType::Varint => Field::Number(decode_varint(&mut rest)?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest)?).map_err(|_| Malformed)?;
                let (field, after) = rest.split_at_checked(length).ok_or(Malformed)?;
                rest = after;
                Field::Bytes(field)
            }
            _ => {
                skip_field(kind, tag, &mut rest, DecodeContext::default())?;
                Field::Other
            }
        };
        take(tag, field)?;
    }
    Ok(())
}

/// Appends an entry, with the fields of the mask, as the bytes of its message.
pub(super) fn encode(entry: &Entry, mask: types::EntryMask, out: &mut BytesMut) {
    text(1, entry.id.as_str(), out);
    if mask.spiffe_id {
        spiffe_id(2, &entry.spiffe_id, out);
    }
    if mask.parent_id {
        spiffe_id(3, &entry.parent_id, out);
    }
    if mask.selectors {
        entry.selectors.iter().for_each(|selector| self::selector(selector, out));
    }
    if mask.x509_svid_ttl {
        number(5, time::ttl_seconds(entry.x509_svid_ttl).into(), out);
    }
    if mask.federates_with {
        entry.federates_with.iter().for_each(|name| item(6, name.name(), out));
    }
    number(7, (mask.admin && entry.admin).into(), out);
    number(8, (mask.downstream && entry.downstream).into(), out);
    if mask.expires_at {
        number(9, time::optional_seconds(entry.expires_at), out);
    }
    if mask.dns_names {
        entry.dns_names.iter().for_each(|name| item(10, name, out));
    }
    if mask.revision_number {
        number(11, entry.revision_number, out);
    }
    number(12, (mask.store_svid && entry.store_svid).into(), out);
    if mask.jwt_svid_ttl {
        number(13, time::ttl_seconds(entry.jwt_svid_ttl).into(), out);
    }
    if mask.hint {
        text(14, &entry.hint, out);
    }
    if mask.created_at {
        number(15, time::seconds(entry.created_at), out);
    }
    let (disabled, jti) = (entry.x509_svid_prefetch_disabled, entry.jwt_svid_includes_jti);
    if mask.additional_attributes && (disabled || jti) {
        head(16, 2 * (usize::from(disabled) + usize::from(jti)), out);
        number(1, disabled.into(), out);
        number(2, jti.into(), out);
    }
}

/// Appends what tells an agent whether the entry it holds is this one, as the bytes of an `EntryRevision`.
pub(super) fn encode_revision(entry: &Entry, out: &mut BytesMut) {
    text(1, entry.id.as_str(), out);
    number(2, entry.revision_number, out);
    number(3, time::seconds(entry.created_at), out);
}

fn spiffe_id(tag: u32, id: &SpiffeId, out: &mut BytesMut) {
    pair(tag, (id.trust_domain_name(), id.path()), out);
}

fn selector(selector: &Selector, out: &mut BytesMut) {
    pair(4, (selector.kind(), selector.value()), out);
}

fn pair(tag: u32, (first, second): Pair<'_>, out: &mut BytesMut) {
    // A key of these fields is one byte.
    let length =
        |text: &str| if text.is_empty() { 0 } else { 1 + encoded_len_varint(text.len() as u64) + text.len() };
    head(tag, length(first) + length(second), out);
    text(1, first, out);
    text(2, second, out);
}

/// A text that is left out when it is empty.
fn text(tag: u32, text: &str, out: &mut BytesMut) {
    if !text.is_empty() {
        item(tag, text, out);
    }
}

/// A text of a list.
fn item(tag: u32, text: &str, out: &mut BytesMut) {
    head(tag, text.len(), out);
    out.put_slice(text.as_bytes());
}

fn head(tag: u32, length: usize, out: &mut BytesMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// A number, a flag among them, that is left out when it is zero.
fn number(tag: u32, number: i64, out: &mut BytesMut) {
    if number != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(number.cast_unsigned(), out);
    }
}
