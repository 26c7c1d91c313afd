//! Where the Workload API is: the address as SPIFFE Workload Endpoint §4 writes it, and the connection to it.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint as ChannelEndpoint, Uri};

use crate::ReceiveError;

/// The environment variable that names the endpoint when the configuration does not.
pub const ENDPOINT_VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The address of a Workload API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A Unix socket, by absolute path.
    Unix(PathBuf),
    /// A TCP address. SPIFFE allows it only where the network authenticates its sources.
    Tcp(SocketAddr),
}

impl Endpoint {
    /// Reads `unix:///path`, `unix:/path` or `tcp://127.0.0.1:8000` (SPIFFE Workload Endpoint §4).
    ///
    /// A path may hold percent-encoded bytes (RFC 3986 §2.1).
    ///
    /// # Errors
    /// [`ReceiveError::Endpoint`] with the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, ReceiveError> {
        let fail = |rule| ReceiveError::Endpoint { endpoint: text.to_owned(), rule };
        if let Some(rest) = text.strip_prefix("unix:") {
            parse_unix(rest).map(Self::Unix).map_err(fail)
        } else if let Some(rest) = text.strip_prefix("tcp:") {
            parse_tcp(rest).map(Self::Tcp).map_err(fail)
        } else {
            Err(fail("it must begin with unix: or tcp:, as in unix:///run/finial/agent.sock"))
        }
    }

    /// Reads the endpoint that `SPIFFE_ENDPOINT_SOCKET` names (SPIFFE Workload Endpoint §4).
    ///
    /// # Errors
    /// [`ReceiveError::EndpointUnset`] when the variable is missing or empty; else as [`parse`](Self::parse).
    pub fn from_env() -> Result<Self, ReceiveError> {
        Self::from_variable(std::env::var_os(ENDPOINT_VARIABLE))
    }

    fn from_variable(value: Option<OsString>) -> Result<Self, ReceiveError> {
        let value = value.filter(|value| !value.is_empty()).ok_or(ReceiveError::EndpointUnset)?;
        match value.to_str() {
            Some(text) => Self::parse(text),
            None => Err(ReceiveError::Endpoint {
                endpoint: value.to_string_lossy().into_owned(),
                rule: "it must be UTF-8: write other bytes of a path as %xx",
            }),
        }
    }
}

impl FromStr for Endpoint {
    type Err = ReceiveError;

    fn from_str(text: &str) -> Result<Self, ReceiveError> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => {
                f.write_str("unix://")?;
                path.as_os_str().as_bytes().iter().try_for_each(|byte| match byte {
                    b'/' | b'-' | b'.' | b'_' | b'~' | b'@' | b':' => write!(f, "{}", *byte as char),
                    byte if byte.is_ascii_alphanumeric() => write!(f, "{}", *byte as char),
                    byte => write!(f, "%{byte:02X}"),
                })
            }
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// A channel to the Workload API at `endpoint`: it connects with the first call, and again after each loss.
///
/// Must be called inside a Tokio runtime.
pub fn connect(endpoint: &Endpoint) -> Channel {
    match endpoint {
        Endpoint::Tcp(address) => plain(&format!("http://{address}")).connect_lazy(),
        Endpoint::Unix(path) => {
            let path = path.clone();
            let connector = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            });
            // The URI only fills the :authority of each request; RFC 6761 reserves the name.
            plain("http://localhost").connect_with_connector_lazy(connector)
        }
    }
}

#[expect(clippy::expect_used, reason = "the text is a scheme and a socket address or a constant")]
fn plain(uri: &str) -> ChannelEndpoint {
    ChannelEndpoint::from_shared(uri.to_owned()).expect("a valid URI").connect_timeout(CONNECT_LIMIT)
}

fn parse_unix(rest: &str) -> Result<PathBuf, &'static str> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(
            "the path must be absolute and no host may be named, as in unix:///run/finial/agent.sock",
        );
    }
    if path.contains(['?', '#']) {
        return Err("a path is all that may be named: a `?` or `#` in it is written as %3F or %23");
    }
    if path.bytes().all(|byte| byte == b'/') {
        return Err("a path to a socket is missing, as in unix:///run/finial/agent.sock");
    }
    let bytes =
        decode_percent(path).ok_or("each % must be followed by two hexadecimal digits other than 00")?;
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

fn parse_tcp(rest: &str) -> Result<SocketAddr, &'static str> {
    const FORM: &str = "an IP address and a port are all that may be named, as in tcp://127.0.0.1:8000";
    let address: SocketAddr = rest.strip_prefix("//").ok_or(FORM)?.parse().map_err(|_| FORM)?;
    if address.port() == 0 {
        return Err("port 0 cannot be connected to");
    }
    Ok(address)
}

/// `None` when an escape is incomplete, or the result holds a NUL, which no path may.
fn decode_percent(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        };
        if byte == 0 {
            return None;
        }
        decoded.push(byte);
    }
    Some(decoded)
}
