//! Fields that are for the next hop alone (RFC 9110, section 7.6.1), which ends here.

use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::identity::is_suspect;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Removes them, and what `Connection` names beside them. `TE: trailers` stays: who answers must know that trailers
/// are welcome.
pub(super) fn strip(headers: &mut HeaderMap) {
    let wants_trailers = has_token(headers, &TE, "trailers");
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|name| name.parse().ok()).collect();
    let known = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, TE, TRANSFER_ENCODING, UPGRADE];
    for name in named.into_iter().chain(known) {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Announces no trailer that is not passed on.
pub(super) fn strip_trailer_names(headers: &mut HeaderMap) {
    let passed_on = |name: &&str| name.parse().is_ok_and(|name: HeaderName| !is_suspect(&name));
    let kept = tokens(headers, &TRAILER).filter(passed_on).collect::<Vec<_>>().join(", ");
    headers.remove(TRAILER);
    if let Ok(kept) = HeaderValue::from_str(&kept)
        && !kept.is_empty()
    {
        headers.insert(TRAILER, kept);
    }
}

/// Whether one of the tokens of this field is this one.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let tokens = lines.flat_map(|line| line.split(|byte| *byte == b','));
    tokens.filter_map(|token| str::from_utf8(token).ok()).map(str::trim).filter(|token| !token.is_empty())
}
