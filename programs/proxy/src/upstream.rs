//! The way through somebody else's proxy: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 (RFC 1928, RFC 1929).

mod address;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::lines::excerpt;

use address::Kind;
pub(crate) use address::Login;
pub use address::{Upstream, UpstreamAddressError};

/// The longest head of an answer to CONNECT, in bytes.
const HEAD: usize = 8 * 1024;

/// The proxy on the way to the target did not lead there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("the proxy on the way broke off")]
    Io(#[from] io::Error),
    #[error("the proxy on the way refused: {0}")]
    Refused(String),
    #[error("the proxy on the way speaks something else than {0}")]
    Protocol(&'static str),
}

impl Upstream {
    /// Makes the proxy at the other end of `stream` connect to the target. Reads not a byte of what the target says.
    pub(crate) async fn lead<S>(&self, stream: &mut S, host: &str, port: u16) -> Result<(), UpstreamError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.kind() {
            Kind::Http => connect(stream, self.login(), host, port).await,
            Kind::Socks5 => socks5(stream, self.login(), host, port).await,
        }
    }
}

async fn connect<S>(stream: &mut S, login: Option<&Login>, host: &str, port: u16) -> Result<(), UpstreamError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(login) = login {
        request.push_str(&format!("Proxy-Authorization: {}\r\n", login.basic()));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(stream).await?;
    let line = head.lines().next().unwrap_or_default();
    match status(line) {
        None => Err(UpstreamError::Protocol("HTTP/1.1")),
        Some(code) if code.starts_with('2') => Ok(()),
        Some(_) => Err(UpstreamError::Refused(excerpt(line))),
    }
}

/// The three digits of a status line (RFC 9112 §4): after them comes a space or the end.
fn status(line: &str) -> Option<&str> {
    let (minor, rest) = line.strip_prefix("HTTP/1.")?.split_once(' ')?;
    let code = rest.split_once(' ').map_or(rest, |(code, _)| code);
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(minor, 1) && digits(code, 3)).then_some(code)
}

/// Byte by byte: what follows the head is the target's.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, UpstreamError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD {
            return Err(UpstreamError::Protocol("HTTP/1.1: its answer has no end within 8 KiB"));
        }
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(|_| UpstreamError::Protocol("HTTP/1.1"))
}

const VERSION: u8 = 5;
const OPEN: u8 = 0;
const PASSWORD: u8 = 2;

async fn socks5<S>(stream: &mut S, login: Option<&Login>, host: &str, port: u16) -> Result<(), UpstreamError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let method = if login.is_some() { PASSWORD } else { OPEN };
    stream.write_all(&[VERSION, 1, method]).await?;
    match (read(stream).await?, login) {
        ([VERSION, OPEN], None) => {}
        ([VERSION, PASSWORD], Some(login)) => log_in(stream, login).await?,
        ([VERSION, _], _) => {
            return Err(UpstreamError::Refused("it asks for another way to log in".to_owned()));
        }
        _ => return Err(UpstreamError::Protocol("SOCKS5")),
    }
    let mut request = vec![VERSION, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => request.extend([&[1][..], &address.octets()].concat()),
        Ok(IpAddr::V6(address)) => request.extend([&[4][..], &address.octets()].concat()),
        Err(_) => request.extend([&[3, short(host)?][..], host.as_bytes()].concat()),
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    let [version, reply, _, kind] = read(stream).await?;
    if version != VERSION {
        return Err(UpstreamError::Protocol("SOCKS5"));
    }
    if reply != 0 {
        return Err(UpstreamError::Refused(refusal(reply).to_owned()));
    }
    let address = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(UpstreamError::Protocol("SOCKS5")),
    };
    // Where the proxy is bound is of no use.
    stream.read_exact(&mut vec![0; address + 2]).await?;
    Ok(())
}

async fn log_in<S>(stream: &mut S, login: &Login) -> Result<(), UpstreamError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (user, password) = (&login.user, &login.password);
    let request =
        [&[1, short(user)?][..], user.as_bytes(), &[short(password)?], password.as_bytes()].concat();
    stream.write_all(&request).await?;
    match read(stream).await? {
        [1, 0] => Ok(()),
        [1, _] => Err(UpstreamError::Refused("user or password is wrong".to_owned())),
        _ => Err(UpstreamError::Protocol("SOCKS5")),
    }
}

fn short(text: &str) -> Result<u8, UpstreamError> {
    u8::try_from(text.len())
        .map_err(|_| UpstreamError::Protocol("SOCKS5: names have at most 255 bytes there"))
}

async fn read<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// RFC 1928 §6.
fn refusal(reply: u8) -> &'static str {
    match reply {
        2 => "its rules forbid it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the target refused the connection",
        6 => "it took too long",
        _ => "it failed",
    }
}
