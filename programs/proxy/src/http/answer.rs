//! Answers to callers: the backend's, without what was for the proxy alone, and the proxy's own when there is none.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode, Version};

use super::hop;

pub(super) type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Why a request gets no answer from the backend. The text is the body of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("CONNECT is not served here")]
    Connect,
    #[error("too many header fields")]
    TooManyFields,
    #[error("the body of the request broke off")]
    BrokenBody,
    #[error("the backend cannot be reached")]
    Unreachable,
    #[error("the backend gave no answer")]
    NoAnswer,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unreachable | Self::NoAnswer => StatusCode::BAD_GATEWAY,
        }
    }

    /// A caller of HTTP/1 that is refused for what it said is heard no further: who cannot be understood once may mean
    /// something else by what follows.
    pub(super) fn answer(self, version: Version) -> Answer {
        let mut response = Response::new(Either::Right(Full::from(format!("{self}\n"))));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self == Self::Connect {
            // The resource decides which methods it allows; of it the proxy knows none.
            headers.insert(ALLOW, HeaderValue::from_static(""));
        }
        if self.status().is_client_error() && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The backend's answer, which speaks for itself but for what concerns one hop.
pub(super) fn pass_on(response: Response<Incoming>) -> Answer {
    let (mut parts, body) = response.into_parts();
    hop::strip(&mut parts.headers);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Either::Left(body))
}
