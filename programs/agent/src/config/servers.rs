//! Where the servers are: addresses in order of preference, or a name in DNS that tells them.

use std::fmt;
use std::net::Ipv6Addr;

/// The most servers that are listed or taken from DNS.
pub(crate) const MAX_SERVERS: usize = 32;

/// The servers of an agent. It holds one connection at a time, and goes to the next when it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// At least one, best first. A host name is looked up for each connection, and each of its addresses tried.
    Listed(Vec<ServerAddress>),
    /// The name of SRV records (RFC 2782), such as `_spire._tcp.example.org`, looked up for each connection.
    Srv(String),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// A host name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Why a text names no servers.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// There is none, or one is empty.
    #[error("server_address has an empty item: write one address, or several separated by commas")]
    Empty,
    /// There are too many.
    #[error("server_address has {0} items; at most {MAX_SERVERS} are allowed")]
    TooMany(usize),
    /// The text after the colon is no port.
    #[error("the server address `{0}` has no port between 1 and 65535 after its colon")]
    Port(String),
    /// Neither the address nor the configuration has a port.
    #[error("server_port is missing: add it, or write `{0}:8081`")]
    NoPort(String),
}

impl Servers {
    /// Reads `server_address`: one address or several, separated by commas, each `host`, `host:port`, or an IPv6
    /// address, in brackets when a port follows. `port` is that of those without one.
    ///
    /// # Errors
    /// By the item at fault.
    pub fn parse(text: &str, port: Option<u16>) -> Result<Self, ServersError> {
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items.len() > MAX_SERVERS {
            return Err(ServersError::TooMany(items.len()));
        }
        items
            .into_iter()
            .map(|item| ServerAddress::parse(item, port))
            .collect::<Result<_, _>>()
            .map(Self::Listed)
    }

    /// The port of the first listed server; none for SRV records, which name their own.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Listed(servers) => servers.first().map(|server| server.port),
            Self::Srv(_) => None,
        }
    }
}

impl ServerAddress {
    fn parse(item: &str, default: Option<u16>) -> Result<Self, ServersError> {
        let (host, port) = match item.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
            None if item.parse::<Ipv6Addr>().is_ok() => (item, None),
            None => item.rsplit_once(':').map_or((item, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(ServersError::Empty);
        }
        let port = match port {
            Some(text) => text.parse().ok().filter(|port| *port != 0),
            None => {
                return default
                    .map(|port| Self::new(host, port))
                    .ok_or_else(|| ServersError::NoPort(item.to_owned()));
            }
        };
        port.map(|port| Self::new(host, port)).ok_or_else(|| ServersError::Port(item.to_owned()))
    }

    fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }
}

/// Host and port as a URI has them: an IPv6 address in brackets.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(servers) => {
                for (at, server) in servers.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    server.fmt(f)?;
                }
                Ok(())
            }
            Self::Srv(name) => f.write_str(name),
        }
    }
}
