//! Where the proxy listens and forwards: `HOST:PORT`, `unix:PATH` or `systemd:NAME`, as ghostunnel writes it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ProxyError;

/// How addresses of this machine begin. One of launchd, which this system has not, is refused by that name.
const LOCAL: [&str; 6] = ["unix:", "systemd:", "launchd:", "127.0.0.1:", "[::1]:", "localhost:"];

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port of a host.
    Tcp {
        /// A name or an IP address, without brackets. Empty: all addresses of this machine to listen, this machine to
        /// dial, as in Go.
        host: String,
        /// The port; 0 to listen lets the operating system choose.
        port: u16,
    },
    /// A Unix socket, by path.
    Unix(PathBuf),
    /// A socket that systemd has bound and passes, by its `FileDescriptorName=`. Only listens.
    Passed(String),
}

/// Where the status is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusAddress {
    /// The socket.
    pub(crate) address: Address,
    /// By HTTPS with the certificate of the proxy, which asks for none; else in the clear.
    pub(crate) tls: bool,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` {fault}")]
pub struct AddressError {
    address: String,
    fault: &'static str,
}

impl Address {
    /// Reads `HOST:PORT`, `[IPv6]:PORT`, `:PORT`, `unix:PATH` or `systemd:NAME`.
    ///
    /// # Errors
    /// With the text, what is wrong with it, and the remedy.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let fail = |fault| AddressError { address: text.to_owned(), fault };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(fail("names no path: write unix:PATH")),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        if let Some(name) = text.strip_prefix("systemd:") {
            return match name {
                "" => Err(fail("names no socket: write systemd:NAME, as in FileDescriptorName=NAME")),
                name => Ok(Self::Passed(name.to_owned())),
            };
        }
        if text.starts_with("launchd:") {
            return Err(fail(
                "is a socket of launchd, which is not on this system: use HOST:PORT or unix:PATH",
            ));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| fail("has no port: write HOST:PORT"))?;
        let port = port.parse().map_err(|_| fail("has a port that is no number from 0 to 65535"))?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(inner)) => inner,
            Some(None) => return Err(fail("has a bracket that is not closed: write [IPv6]:PORT")),
            None if host.contains([':', '/']) => {
                return Err(fail("is neither HOST:PORT nor [IPv6]:PORT nor unix:PATH"));
            }
            None => host,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }

    /// Whether the operating system chooses the port.
    pub(crate) fn is_any_port(&self) -> bool {
        matches!(self, Self::Tcp { port: 0, .. })
    }

    /// Whether one socket cannot be both. What names mean only the operating system knows: it has the last word.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp { host, port }, Self::Tcp { host: others, port: other }) => {
                *port != 0 && port == other && host.eq_ignore_ascii_case(others)
            }
            _ => self == other,
        }
    }

    /// Whether it is a TCP port of a host that it names.
    pub(crate) fn has_host(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if !host.is_empty())
    }

    /// Whether only this machine can be at the other end: ghostunnel's test, which looks at how the text begins and
    /// resolves no names.
    pub(crate) fn is_local(text: &str) -> bool {
        LOCAL.iter().any(|start| text.starts_with(start))
    }
}

impl StatusAddress {
    /// Reads `HOST:PORT` or `https://HOST:PORT` (by TLS), `http://HOST:PORT`, `unix:PATH` or `systemd:NAME` (in
    /// the clear).
    ///
    /// # Errors
    /// As [`Address::parse`]; [`ProxyError::StatusScheme`].
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            _ => (None, text),
        };
        let invalid = |cause| ProxyError::Address { flag: "--status", cause };
        let address = Address::parse(rest).map_err(invalid)?;
        let tls = match (&address, scheme) {
            (Address::Tcp { .. }, scheme) => scheme != Some("http"),
            (Address::Unix(_) | Address::Passed(_), None) => false,
            (Address::Unix(_), Some(_)) => return Err(ProxyError::StatusScheme { network: "unix" }),
            (Address::Passed(_), Some(_)) => return Err(ProxyError::StatusScheme { network: "systemd" }),
        };
        Ok(Self { address, tls })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(name) => write!(f, "systemd:{name}"),
        }
    }
}
