//! The one parser of SPIFFE IDs: over bytes, strict, changing nothing (SPIFFE-ID §2.1 to §2.3).

use super::{BadByte, SCHEME, SpiffeId, SpiffeIdError};
use crate::TrustDomain;

/// The checked text and where its path begins.
pub(super) fn id(text: &[u8]) -> Result<(&str, usize), SpiffeIdError> {
    if text.is_empty() {
        return Err(SpiffeIdError::Empty);
    }
    if text.len() > SpiffeId::MAX_BYTES {
        return Err(SpiffeIdError::TooLong(text.len()));
    }
    let Some(rest) = text.strip_prefix(SCHEME.as_bytes()) else {
        let start = &text[..text.len().min(SCHEME.len())];
        return Err(SpiffeIdError::Scheme(String::from_utf8_lossy(start).into_owned()));
    };
    let name_length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    trust_domain(&rest[..name_length])?;
    path(&rest[name_length..])?;
    Ok((ascii(text), SCHEME.len() + name_length))
}

pub(crate) fn trust_domain(name: &[u8]) -> Result<&str, SpiffeIdError> {
    if name.is_empty() {
        return Err(SpiffeIdError::TrustDomainEmpty);
    }
    if let Some(byte) = name.iter().find(|byte| !is_trust_domain_byte(**byte)) {
        return Err(SpiffeIdError::TrustDomainByte(BadByte(*byte)));
    }
    if name.len() > TrustDomain::MAX_BYTES {
        return Err(SpiffeIdError::TrustDomainTooLong(name.len()));
    }
    Ok(ascii(name))
}

/// Checks `""` or `/segment/segment…`.
pub(super) fn path(path: &[u8]) -> Result<(), SpiffeIdError> {
    let segments = match path {
        [] => return Ok(()),
        [b'/', segments @ ..] => segments,
        _ => return Err(SpiffeIdError::PathStart(String::from_utf8_lossy(path).into_owned())),
    };
    if path.ends_with(b"/") {
        return Err(SpiffeIdError::TrailingSlash);
    }
    segments.split(|byte| *byte == b'/').try_for_each(segment)
}

/// Checks one segment, which can hold no slash.
pub(super) fn segment(segment: &[u8]) -> Result<(), SpiffeIdError> {
    match segment {
        b"" => return Err(SpiffeIdError::EmptySegment),
        b"." | b".." => return Err(SpiffeIdError::DotSegment(String::from_utf8_lossy(segment).into_owned())),
        _ => {}
    }
    match segment.iter().find(|byte| !is_segment_byte(**byte)) {
        Some(byte) => Err(SpiffeIdError::PathByte(BadByte(*byte))),
        None => Ok(()),
    }
}

fn is_trust_domain_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')
}

fn is_segment_byte(byte: u8) -> bool {
    is_trust_domain_byte(byte) || byte.is_ascii_uppercase()
}

#[expect(clippy::expect_used, reason = "every byte was checked to be ASCII")]
fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("ASCII")
}
