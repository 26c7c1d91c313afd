//! The header that tells a backend who the caller is: PROXY protocol, version 2, as HAProxy specifies it.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use finial_identity::ForeignChain;
use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};

/// Both ends of an accepted connection; `None` for a Unix socket.
pub(crate) type Ends = Option<(SocketAddr, SocketAddr)>;

/// What the header tells: ghostunnel's `--proxy-protocol-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// `conn`: the addresses of the connection.
    Connection,
    /// `tls`: beside them the version of TLS, the name that the caller asked for, and the application protocol.
    Tls,
    /// `tls-full`: beside these the caller's certificate, which the proxy has verified, and its common name. Where only
    /// the key is pinned the certificate is marked as not verified, and the name left out: the caller chose it.
    TlsFull,
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, a connection that is relayed.
const PROXY: u8 = 0x21;
/// Version 2, a connection of the proxy's own, without addresses.
const LOCAL: [u8; 4] = [0x20, 0, 0, 0];
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;
/// Two paths of 108 bytes; callers of a Unix socket have none.
const UNIX_ADDRESSES: usize = 216;

const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_COMMON_NAME: u8 = 0x22;
const SSL_CLIENT_CERTIFICATE: u8 = 0x28;

/// The caller speaks TLS.
const CLIENT_SSL: u8 = 0x01;
/// It has presented a certificate, in this connection and in this session.
const CLIENT_CERTIFICATE: u8 = 0x02 | 0x04;
/// That certificate was verified; so is the absence of one where none was asked for.
const VERIFIED: [u8; 4] = [0; 4];
/// That certificate was not verified: only its key is known.
const NOT_VERIFIED: [u8; 4] = [0, 0, 0, 1];

/// What was to be told of the caller does not fit into a header, and less is not told: the backend would take the caller
/// for one without a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what the PROXY protocol header tells of the caller and its certificate takes {0} bytes, more than 65535: --proxy-protocol-mode=conn tells less"
)]
pub(crate) struct HeaderTooLong(usize);

/// What a finished handshake says of the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFacts {
    version: Option<&'static str>,
    server_name: Option<String>,
    alpn: Option<Vec<u8>>,
    certificate: Option<CertificateDer<'static>>,
    /// Whether somebody vouches for what the certificate says.
    vouched_for: bool,
}

impl TlsFacts {
    pub(crate) fn of(connection: &ServerConnection, vouched_for: bool) -> Self {
        let certificates = connection.peer_certificates();
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
                Some(ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
                _ => None,
            },
            server_name: connection.server_name().map(str::to_owned),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            certificate: certificates.and_then(<[_]>::first).map(|leaf| leaf.clone().into_owned()),
            vouched_for,
        }
    }
}

impl ProxyProtocol {
    /// The header for a caller between these ends, or why there can be none.
    pub(crate) fn header(self, ends: Ends, facts: &TlsFacts) -> Result<Vec<u8>, HeaderTooLong> {
        let (family, mut rest) = addresses(ends);
        if self != Self::Connection {
            put(&mut rest, ALPN, facts.alpn.as_deref())?;
            put(&mut rest, AUTHORITY, facts.server_name.as_deref().map(str::as_bytes))?;
            put(&mut rest, SSL, Some(&self.ssl(facts)?))?;
        }
        let length = length(&rest)?;
        Ok([&SIGNATURE[..], &[PROXY, family], &length, &rest].concat())
    }

    /// The header for a connection on which nobody is relayed, such as one that only asks how the backend is.
    pub(crate) fn local() -> Vec<u8> {
        [&SIGNATURE[..], &LOCAL].concat()
    }

    fn ssl(self, facts: &TlsFacts) -> Result<Vec<u8>, HeaderTooLong> {
        let shown = facts.certificate.as_ref().filter(|_| self == Self::TlsFull);
        let flags = if shown.is_some() { CLIENT_SSL | CLIENT_CERTIFICATE } else { CLIENT_SSL };
        let mut ssl = vec![flags];
        ssl.extend(if shown.is_some() && !facts.vouched_for { NOT_VERIFIED } else { VERIFIED });
        put(&mut ssl, SSL_VERSION, facts.version.map(str::as_bytes))?;
        if let Some(leaf) = shown {
            let names = ForeignChain::from_chain(vec![leaf.clone()]).ok();
            let common_name =
                names.as_ref().filter(|_| facts.vouched_for).and_then(ForeignChain::common_name);
            put(&mut ssl, SSL_COMMON_NAME, common_name.map(str::as_bytes))?;
            put(&mut ssl, SSL_CLIENT_CERTIFICATE, Some(leaf))?;
        }
        Ok(ssl)
    }
}

fn addresses(ends: Ends) -> (u8, Vec<u8>) {
    let Some((from, to)) = ends else { return (UNIX_STREAM, vec![0; UNIX_ADDRESSES]) };
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    // A socket for both families shows IPv4 addresses inside of IPv6.
    match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) => {
            (TCP_V4, [&from.octets()[..], &to.octets()[..], &ports].concat())
        }
        (from, to) => (TCP_V6, [&v6(from)[..], &v6(to)[..], &ports].concat()),
    }
}

fn v6(address: std::net::IpAddr) -> [u8; 16] {
    match address {
        std::net::IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(address) => address.octets(),
    }
}

/// One field: its type, its length in two bytes, its value. None when there is no value.
fn put(fields: &mut Vec<u8>, kind: u8, value: Option<&[u8]>) -> Result<(), HeaderTooLong> {
    let Some(value) = value else { return Ok(()) };
    let length = length(value)?;
    fields.push(kind);
    fields.extend(length);
    fields.extend(value);
    Ok(())
}

fn length(value: &[u8]) -> Result<[u8; 2], HeaderTooLong> {
    u16::try_from(value.len()).map(u16::to_be_bytes).map_err(|_| HeaderTooLong(value.len()))
}
