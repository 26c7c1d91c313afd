//! For whom a load balancer speaks: the header of the PROXY protocol, versions 1 and 2, as HAProxy specifies it. It stands
//! before TLS, and only balancers that were named are believed.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

/// How long the header may take to arrive.
pub(super) const HEADER_LIMIT: Duration = Duration::from_secs(10);

/// Longest header of version 1, with its line break.
const MAX_LINE: usize = 107;

/// How version 2 begins; no other protocol does.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A relayed connection, in version 2; any other command is the balancer's own.
const PROXY: u8 = 0x21;
const LOCAL: u8 = 0x20;
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;

/// Why a header says nothing that can be believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("the PROXY protocol header cannot be read")]
    Read(#[from] io::Error),
    #[error("the PROXY protocol header is malformed: the balancer must send version 1 or 2")]
    Malformed,
}

/// Whom the balancer announces, which leaves the stream at what that caller says. `None` when it speaks for itself, as for
/// a check of health, or for somebody without an address.
///
/// # Errors
/// When what begins as a header is none, or does not come whole.
pub(super) async fn caller(stream: &mut TcpStream) -> Result<Option<SocketAddr>, HeaderError> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    match first {
        [b'\r'] => version_2(stream).await,
        [b'P'] => version_1(stream).await,
        // TLS begins otherwise, and refuses what is none.
        _ => Ok(None),
    }
}

async fn version_1(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, HeaderError> {
    let mut line = Vec::with_capacity(MAX_LINE);
    while !line.ends_with(b"\r\n") {
        if line.len() == MAX_LINE {
            return Err(HeaderError::Malformed);
        }
        // One by one: what follows is not ours.
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| HeaderError::Malformed)?;
    let words: Vec<&str> = line.trim_end_matches("\r\n").split(' ').collect();
    let (address, port) = match words[..] {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", "TCP4", from, to, port, to_port] => (relayed::<Ipv4Addr>(from, to)?, ports(port, to_port)?),
        ["PROXY", "TCP6", from, to, port, to_port] => (relayed::<Ipv6Addr>(from, to)?, ports(port, to_port)?),
        _ => return Err(HeaderError::Malformed),
    };
    Ok(Some(SocketAddr::new(address, port)))
}

/// Where the connection comes from, if both ends are addresses of that kind.
fn relayed<A: std::str::FromStr + Into<IpAddr>>(from: &str, to: &str) -> Result<IpAddr, HeaderError> {
    let address = |text: &str| text.parse::<A>().map_err(|_| HeaderError::Malformed);
    address(to)?;
    Ok(address(from)?.into())
}

fn ports(from: &str, to: &str) -> Result<u16, HeaderError> {
    let port = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).ok_or(HeaderError::Malformed)
    };
    port(to)?;
    port(from)
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, HeaderError> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let [.., command, kind, high, low] = head;
    if !head.starts_with(SIGNATURE) || !matches!(command, PROXY | LOCAL) {
        return Err(HeaderError::Malformed);
    }
    let mut left = usize::from(u16::from_be_bytes([high, low]));
    let caller = match (command, kind) {
        (PROXY, TCP_V4) => Some(addresses::<4, 12>(stream, &mut left).await?),
        (PROXY, TCP_V6) => Some(addresses::<16, 36>(stream, &mut left).await?),
        _ => None,
    };
    // What else it tells is for others.
    let mut rest = [0; 256];
    while left > 0 {
        let part = left.min(rest.len());
        stream.read_exact(&mut rest[..part]).await?;
        left -= part;
    }
    Ok(caller)
}

/// Source and destination of `N` bytes each, then their ports: `ALL` bytes.
async fn addresses<const N: usize, const ALL: usize>(
    stream: &mut (impl AsyncRead + Unpin),
    left: &mut usize,
) -> Result<SocketAddr, HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let mut fields = [0; ALL];
    *left = left.checked_sub(ALL).ok_or(HeaderError::Malformed)?;
    stream.read_exact(&mut fields).await?;
    let source = fields.first_chunk::<N>().ok_or(HeaderError::Malformed)?;
    let port = u16::from_be_bytes([fields[2 * N], fields[2 * N + 1]]);
    Ok(SocketAddr::new(IpAddr::from(*source), port))
}
