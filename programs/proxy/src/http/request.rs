//! A caller's request made fit for the backend: understood in one way only, and with the proxy's word on who asks.

use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Uri, Version};

use super::answer::Refusal;
use super::body::CallerBody;
use super::identity::IdentityFields;
use super::{BackendHttp, MAX_FIELDS, hop};

/// A request as the backend gets it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: Request<CallerBody>,
    /// The caller wants to go on by WebSocket, and the backend may agree.
    pub(super) websocket: bool,
}

/// Hop by hop, so that nothing of one connection is said on the other; the path and every other field stay as they
/// are.
pub(super) fn prepare(
    request: Request<Incoming>,
    identity: &IdentityFields,
    http: BackendHttp,
) -> Result<Prepared, Refusal> {
    let (mut parts, body) = request.into_parts();
    check(&parts, body.is_end_stream())?;
    let host = host(&parts)?;
    let websocket = http == BackendHttp::One && body.is_end_stream() && wants_websocket(&parts);
    hop::strip(&mut parts.headers);
    hop::strip_trailer_names(&mut parts.headers);
    identity.put(&mut parts.headers);
    parts.headers.remove(HOST);
    let path = parts.uri.path_and_query().cloned().ok_or(Refusal::Malformed("the target has no path"))?;
    match http {
        BackendHttp::One => {
            parts.uri = Uri::from(path);
            parts.version = Version::HTTP_11;
            if let Some(host) = host {
                parts.headers.insert(HOST, host);
            }
            // Said aloud, or hyper takes a GET for one without a body.
            if !body.is_end_stream() && body.size_hint().exact().is_none() {
                parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            if websocket {
                parts.headers.append(CONNECTION, HeaderValue::from_static("upgrade"));
                parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            // RFC 9110, section 10.1.4.
            if parts.headers.contains_key(TE) {
                parts.headers.append(CONNECTION, HeaderValue::from_static("te"));
            }
        }
        BackendHttp::Two => {
            let host = host.filter(|host| !host.is_empty()).ok_or(NO_HOST)?;
            let uri = Uri::builder().scheme("http").authority(host.as_bytes()).path_and_query(path);
            parts.uri = uri.build().map_err(|_| BAD_HOST)?;
            parts.version = Version::HTTP_2;
        }
    }
    // Of the caller's connection.
    parts.extensions.clear();
    Ok(Prepared { request: Request::from_parts(parts, CallerBody::new(body)), websocket })
}

/// What hyper lets pass, and two programs may understand in two ways.
fn check(parts: &Parts, empty: bool) -> Result<(), Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if parts.headers.len() > MAX_FIELDS {
        return Err(Refusal::TooManyFields);
    }
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Refusal::Malformed("the target is no URL of HTTP"));
    }
    match single(&parts.headers, &TRANSFER_ENCODING)? {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            return Err(Refusal::Malformed("the transfer coding is not chunked alone"));
        }
        _ => {}
    }
    match single(&parts.headers, &CONTENT_LENGTH)?.map(length) {
        Some(None) => Err(Refusal::Malformed("the content length is no number")),
        Some(Some(1..)) if empty => Err(Refusal::Malformed("the content is missing")),
        _ => Ok(()),
    }
}

/// Which host the request is for, in its one or two places (RFC 9112, section 3.2; RFC 9113, section 8.3.1). Only
/// HTTP/1.0 may leave it out.
fn host(parts: &Parts) -> Result<Option<HeaderValue>, Refusal> {
    let said = single(&parts.headers, &HOST)?;
    if let Some(said) = said
        && !said.is_empty()
        && !Authority::try_from(said.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
    {
        return Err(BAD_HOST);
    }
    match (parts.uri.authority(), said) {
        (Some(target), _) if target.as_str().contains('@') => Err(BAD_HOST),
        (Some(target), Some(said)) if !said.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()) => {
            Err(Refusal::Malformed("the request names two hosts"))
        }
        (_, Some(said)) => Ok(Some(said.clone())),
        (_, None) if parts.version == Version::HTTP_11 => Err(NO_HOST),
        (Some(target), None) => HeaderValue::from_str(target.as_str()).map(Some).map_err(|_| BAD_HOST),
        (None, None) if parts.version == Version::HTTP_2 => Err(NO_HOST),
        (None, None) => Ok(None),
    }
}

const NO_HOST: Refusal = Refusal::Malformed("the request names no host");
const BAD_HOST: Refusal = Refusal::Malformed("the host is malformed");

/// The value of a field that must not be there twice.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Refusal::Malformed("a field is there twice that says where a request ends or goes to")),
    }
}

/// Digits only: the number parser of Rust takes a sign.
fn length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// WebSocket and nothing else: who could switch to HTTP/2 would speak past the proxy with requests of its own making.
fn wants_websocket(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && parts.method == Method::GET
        && hop::has_token(&parts.headers, &CONNECTION, "upgrade")
        && matches!(single(&parts.headers, &UPGRADE), Ok(Some(to)) if to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
