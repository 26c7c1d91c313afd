//! Where an HTTP call goes.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;

/// `http://HOST[:PORT][/PATH][?QUERY]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HookUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The host and the port as they were written.
    pub(crate) authority: HeaderValue,
    pub(crate) path: PathAndQuery,
}

/// A text that is no such URL. It does not quote the text, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HookUrlError {
    #[error("https is not spoken here: let cmd call a program that does, such as curl")]
    Https,
    #[error("must be http://HOST:PORT/PATH")]
    Form,
    #[error("must not hold a user or a password")]
    Login,
}

impl FromStr for HookUrl {
    type Err = HookUrlError;

    fn from_str(text: &str) -> Result<Self, HookUrlError> {
        let uri: Uri = text.parse().map_err(|_| HookUrlError::Form)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(HookUrlError::Https),
            _ => return Err(HookUrlError::Form),
        }
        let authority = uri.authority().ok_or(HookUrlError::Form)?;
        if authority.as_str().contains('@') {
            return Err(HookUrlError::Login);
        }
        let host = authority.host().trim_matches(['[', ']']);
        // Something that is no port is none to the parser.
        let has_port = authority.as_str().len() > authority.host().len();
        let port = authority.port_u16().or((!has_port).then_some(80));
        match port {
            Some(port) if !host.is_empty() && port != 0 => Ok(Self {
                host: host.to_owned(),
                port,
                authority: authority.as_str().try_into().map_err(|_| HookUrlError::Form)?,
                path: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
            }),
            _ => Err(HookUrlError::Form),
        }
    }
}

/// Without the query, which may be a secret.
impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.authority.to_str().unwrap_or(&self.host);
        write!(f, "http://{authority}{}", self.path.path())
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookUrl({self})")
    }
}
