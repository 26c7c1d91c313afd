//! Headers that are right, headers that are wrong in one respect, and what stands behind them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{HeaderError, MAX_LINE, SIGNATURE, caller};

const BEHIND: &[u8] = b"\x16 what the caller says";

/// What is read of these bytes, and what is left of them.
async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, HeaderError>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut balancer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    balancer.write_all(bytes).await.unwrap();
    balancer.shutdown().await.unwrap();
    let announced = caller(&mut stream).await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    (announced, rest)
}

fn version_2(command: u8, kind: u8, length: u16, fields: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[command, kind][..], &length.to_be_bytes(), fields].concat()
}

fn v4() -> Vec<u8> {
    [&[203, 0, 113, 7][..], &[10, 0, 0, 1], &4711_u16.to_be_bytes(), &8081_u16.to_be_bytes()].concat()
}

fn v6() -> Vec<u8> {
    let mut source = [0; 16];
    source[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    source[15] = 1;
    [&source[..], &[0; 16], &4711_u16.to_be_bytes(), &8081_u16.to_be_bytes()].concat()
}

#[tokio::test]
async fn headers_name_the_caller_and_leave_what_it_says() {
    let more = [v4(), vec![4, 0, 1, 0]].concat();
    for (header, wanted) in [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 8081\r\n".to_vec(), Some("203.0.113.7:4711")),
        (b"PROXY TCP6 2001:db8::1 ::1 4711 8081\r\n".to_vec(), Some("[2001:db8::1]:4711")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 ::1 1 2\r\n".to_vec(), None),
        (version_2(0x21, 0x11, 12, &v4()), Some("203.0.113.7:4711")),
        (version_2(0x21, 0x11, 16, &more), Some("203.0.113.7:4711")),
        (version_2(0x21, 0x11, 1012, &[v4(), vec![0; 1000]].concat()), Some("203.0.113.7:4711")),
        (version_2(0x21, 0x21, 36, &v6()), Some("[2001:db8::1]:4711")),
        // The balancer's own, somebody without addresses, datagrams, and a Unix socket.
        (version_2(0x20, 0x00, 0, &[]), None),
        (version_2(0x20, 0x11, 12, &v4()), None),
        (version_2(0x21, 0x00, 3, &[1, 2, 3]), None),
        (version_2(0x21, 0x12, 12, &v4()), None),
        (version_2(0x21, 0x31, 216, &[0; 216]), None),
        // None at all.
        (Vec::new(), None),
    ] {
        let (announced, rest) = read(&[&header[..], BEHIND].concat()).await;
        assert_eq!(announced.unwrap(), wanted.map(|wanted| wanted.parse().unwrap()), "{header:?}");
        assert_eq!(rest, BEHIND, "{header:?}");
    }
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    let long = [b"PROXY UNKNOWN ", &[b'x'; MAX_LINE][..], b"\r\n"].concat();
    for header in [
        &b"PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n"[..],
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 8081 1\r\n",
        b"PROXY TCP4 2001:db8::1 10.0.0.1 4711 8081\r\n",
        b"PROXY TCP4 203.0.113.7 ::1 4711 8081\r\n",
        b"PROXY TCP6 203.0.113.7 ::1 4711 8081\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 65536 8081\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 +1 8081\r\n",
        b"PROXY TCP4  203.0.113.7 10.0.0.1 4711 8081\r\n",
        b"PROXY TCP4 host 10.0.0.1 4711 8081\r\n",
        b"PROXY UDP4 203.0.113.7 10.0.0.1 4711 8081\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 8081\n",
        b"POST / HTTP/1.1\r\n",
        b"PROXY \xff\r\n",
        &long,
        &version_2(0x11, 0x11, 12, &v4()),
        &version_2(0x22, 0x11, 12, &v4()),
        &version_2(0x21, 0x11, 11, &v4()),
        &version_2(0x21, 0x21, 12, &v4()),
        b"\r\n\r\n\0\r\nQUIX\n!!!!",
    ] {
        let (announced, _) = read(&[header, &[b'x'; 2 * MAX_LINE]].concat()).await;
        assert!(matches!(announced, Err(HeaderError::Malformed)), "{header:?}: {announced:?}");
    }
}

#[tokio::test]
async fn headers_that_end_early_are_refused() {
    for header in [
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 8081\r\n".to_vec(),
        version_2(0x21, 0x11, 20, &[v4(), vec![0; 8]].concat()),
    ] {
        for length in 1..header.len() {
            let (announced, _) = read(&header[..length]).await;
            assert!(matches!(announced, Err(HeaderError::Read(_))), "{length}: {announced:?}");
        }
    }
}
