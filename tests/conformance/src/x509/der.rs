//! DER by hand: a library would not write what the corpus needs to be wrong.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

pub(crate) const TRUE: &[u8] = &[0x01, 0x01, 0xff];
pub(crate) const FALSE: &[u8] = &[0x01, 0x01, 0x00];
pub(crate) const NULL: &[u8] = &[0x05, 0x00];

/// A value with its tag and the shortest form of its length.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let header = match length {
        0..=0x7f => vec![tag, length as u8],
        _ => [&[tag, 0x80 | bytes.len() as u8], &bytes[..]].concat(),
    };
    [&header[..], value].concat()
}

/// A value whose length is written with one byte more than it needs.
pub(crate) fn tlv_with_long_length(tag: u8, value: &[u8]) -> Vec<u8> {
    let bytes: Vec<u8> = value.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let padding: &[u8] = if value.len() < 0x80 { &[] } else { &[0] };
    let count = (padding.len() + bytes.len()) as u8;
    [&[tag, 0x80 | count], padding, &bytes[..], value].concat()
}

/// A value of indefinite length, as BER has it and DER has not.
pub(crate) fn tlv_of_indefinite_length(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], value, &[0, 0]].concat()
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SET, &parts.concat())
}

/// `[number]` around a whole value.
pub(crate) fn explicit(number: u8, value: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, value)
}

/// `[number]` in place of the tag of a primitive value.
pub(crate) fn implicit(number: u8, value: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, value)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(value: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], value].concat())
}

/// An OBJECT IDENTIFIER from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').filter_map(|arc| arc.parse().ok()).collect();
    let mut value = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let groups = (1..5).take_while(|group| arc >> (7 * group) > 0).count();
        value.extend((1..=groups).rev().map(|group| 0x80 | (arc >> (7 * group)) as u8));
        value.push((arc & 0x7f) as u8);
    }
    tlv(OBJECT_IDENTIFIER, &value)
}

/// The first value in `der`, whatever the form of its length, and what follows it. None when it is cut off.
pub(crate) fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, length) = match *der.get(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let bytes = der.get(2..2 + count)?;
            (2 + count, bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    };
    let end = header + length;
    (end <= der.len()).then(|| der.split_at(end))
}

/// What the first value in `der` holds.
pub(crate) fn content(der: &[u8]) -> Option<&[u8]> {
    let (value, _) = split(der)?;
    let header = if value[1] < 0x80 { 2 } else { 2 + usize::from(value[1] & 0x7f) };
    value.get(header..)
}
