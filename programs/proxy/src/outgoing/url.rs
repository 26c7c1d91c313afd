//! Where a request goes, as the flags write it.

use std::fmt;

use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, PathAndQuery};
use rustls_pki_types::ServerName;

use crate::Address;
use crate::upstream::Login;

/// `http://[USER:PASSWORD@]HOST[:PORT][/PATH]`, or the same with `https`.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    address: Address,
    host: HeaderValue,
    path: PathAndQuery,
    authorization: Option<HeaderValue>,
    /// What the certificate must be for; of https only.
    server_name: Option<ServerName<'static>>,
}

/// A text that is no such URL. It does not quote the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    /// The scheme is another one. Said after the name of the flag, in ghostunnel's words.
    #[error("should start with http:// or https://")]
    Scheme,
    /// The host or the port is not right.
    #[error("names no host and port: write http://HOST:PORT/PATH")]
    Host,
    /// The path holds what must be escaped.
    #[error("has a path that is no path of a URL: write spaces and what is not ASCII as %20")]
    Path,
    /// User or password have escapes that are none.
    #[error("has a user or a password that cannot be read: write % as %25")]
    Login,
}

impl HttpUrl {
    /// Reads a URL; the port is 80, or 443 for https, unless it says otherwise. A fragment is not sent.
    ///
    /// # Errors
    /// With the part at fault.
    pub fn parse(url: &str) -> Result<Self, HttpUrlError> {
        let (secure, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(HttpUrlError::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let default = if secure { 443 } else { 80 };
        // As an address to listen on it would be every address.
        if host.starts_with(':') {
            return Err(HttpUrlError::Host);
        }
        let text = if has_port { host.to_owned() } else { format!("{host}:{default}") };
        let named = Address::parse(&text).ok().filter(Address::has_host);
        let Some(address) = named else { return Err(HttpUrlError::Host) };
        Ok(Self {
            server_name: if secure { Some(server_name(&address)?) } else { None },
            host: host_header(host)?,
            path: read_path(path)?,
            authorization: login.map(authorization).transpose()?,
            address,
        })
    }

    /// The host and the port.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn host(&self) -> HeaderValue {
        self.host.clone()
    }

    pub(super) fn path(&self) -> PathAndQuery {
        self.path.clone()
    }

    /// A secret.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        self.server_name.clone()
    }
}

fn server_name(address: &Address) -> Result<ServerName<'static>, HttpUrlError> {
    match address {
        Address::Tcp { host, .. } => ServerName::try_from(host.clone()).map_err(|_| HttpUrlError::Host),
        Address::Unix(_) | Address::Passed(_) => Err(HttpUrlError::Host),
    }
}

fn host_header(host: &str) -> Result<HeaderValue, HttpUrlError> {
    let authority = Authority::try_from(host).map_err(|_| HttpUrlError::Host)?;
    HeaderValue::try_from(authority.as_str()).map_err(|_| HttpUrlError::Host)
}

fn read_path(text: &str) -> Result<PathAndQuery, HttpUrlError> {
    let text = text.split('#').next().unwrap_or_default();
    let text = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    PathAndQuery::try_from(text).map_err(|_| HttpUrlError::Path)
}

fn authorization(login: &str) -> Result<HeaderValue, HttpUrlError> {
    let login = Login::parse(login).map_err(|_| HttpUrlError::Login)?;
    let mut value = HeaderValue::try_from(login.basic()).map_err(|_| HttpUrlError::Login)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Without what may be a secret: user and password, and the query.
impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.server_name.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.address, self.path.path())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}
