//! Where the proxy on the way is, as ghostunnel's `--proxy` writes it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Address;

/// A proxy on the way to the target, as `http://[USER:PASSWORD@]HOST[:PORT]` or `socks5://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    kind: Kind,
    address: Address,
    login: Option<Login>,
}

/// What it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Socks5,
}

/// Who it thinks we are: a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// A text that names no proxy. It does not quote the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamAddressError {
    /// What it is asked to speak is unknown.
    #[error("the scheme is neither http nor socks5: write http://HOST:PORT or socks5://HOST:PORT")]
    Scheme,
    /// It says more than where the proxy is.
    #[error("it has a path or a query: write SCHEME://HOST:PORT alone")]
    Path,
    /// The host or the port is not right.
    #[error("it names no host and port: write SCHEME://HOST:PORT")]
    Host,
    /// User or password have escapes that are none.
    #[error(
        "user and password must be UTF-8 without control characters, and each % be followed by two hexadecimal digits"
    )]
    Login,
}

impl Upstream {
    /// Reads a URL; the port is 80 or 1080 unless it says otherwise.
    ///
    /// # Errors
    /// With the part at fault.
    pub fn parse(url: &str) -> Result<Self, UpstreamAddressError> {
        let (kind, rest, port) = match url.split_once("://") {
            Some(("http", rest)) => (Kind::Http, rest, 80),
            Some(("socks5" | "socks5h", rest)) => (Kind::Socks5, rest, 1080),
            _ => return Err(UpstreamAddressError::Scheme),
        };
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => (Some(Login::parse(login)?), host),
            None => (None, rest),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        if host.contains(['/', '?', '#']) {
            return Err(UpstreamAddressError::Path);
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let text = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        match Address::parse(&text) {
            Ok(address) if address.has_host() => Ok(Self { kind, address, login }),
            _ => Err(UpstreamAddressError::Host),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}

impl Login {
    /// Reads `USER:PASSWORD` as it stands in a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, UpstreamAddressError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { user: decode(user)?, password: decode(password)? })
    }

    /// The value of a header (RFC 7617).
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

/// Takes percent-encoding (RFC 3986 §2.1) away.
fn decode(text: &str) -> Result<String, UpstreamAddressError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit(), digit());
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or(UpstreamAddressError::Login)?
            }
            other => other,
        });
    }
    let text = String::from_utf8(decoded).map_err(|_| UpstreamAddressError::Login)?;
    if text.chars().any(char::is_control) { Err(UpstreamAddressError::Login) } else { Ok(text) }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}
