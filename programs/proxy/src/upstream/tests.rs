//! Proxies on the way: what they are told, what they answer, and what is left unread.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Upstream, UpstreamAddressError};

fn upstream(url: &str) -> Upstream {
    Upstream::parse(url).unwrap()
}

/// What the proxy is told in each step, and what leading to `host` comes to.
async fn lead(url: &str, host: &str, steps: &[(&[u8], &[u8])]) -> (Result<(), String>, DuplexStream) {
    let (mut near, mut far) = duplex(64 * 1024);
    let proxy = async {
        for (told, answer) in steps {
            let mut bytes = vec![0; told.len()];
            far.read_exact(&mut bytes).await.unwrap();
            assert_eq!(bytes.escape_ascii().to_string(), told.escape_ascii().to_string());
            far.write_all(answer).await.unwrap();
        }
        drop(far);
    };
    let upstream = upstream(url);
    let (led, ()) = tokio::join!(upstream.lead(&mut near, host, 443), proxy);
    (led.map_err(|error| error.to_string()), near)
}

async fn rest(mut stream: DuplexStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

const CONNECT: &[u8] = b"CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n";

#[tokio::test]
async fn connect_leaves_what_follows_its_answer_to_the_target() {
    let steps: [(&[u8], &[u8]); 1] = [(CONNECT, b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nhello")];
    let (led, stream) = lead("http://proxy.test:3128", "b.test", &steps).await;
    assert_eq!(led, Ok(()));
    assert_eq!(rest(stream).await, b"hello");
}

#[tokio::test]
async fn connect_logs_in_and_writes_ipv6_in_brackets() {
    let request =
        b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dTpwOnA=\r\n\r\n";
    let steps: [(&[u8], &[u8]); 1] = [(request, b"HTTP/1.0 200\r\n\r\n")];
    assert_eq!(lead("http://u:p%3Ap@proxy.test", "::1", &steps).await.0, Ok(()));
}

#[tokio::test]
async fn connect_that_is_refused_or_misunderstood_is_an_error() {
    let long = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'x'; 9_000]].concat();
    for (answer, says) in [
        (&b"HTTP/1.1 407 Log in\r\n\r\n"[..], "the proxy on the way refused: HTTP/1.1 407 Log in"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1 200OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1\t200 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.10200 200 OK\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"SSH-2.0-x\r\n\r\n", "the proxy on the way speaks something else than HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n", "the proxy on the way broke off"),
        (b"", "the proxy on the way broke off"),
        (
            &long,
            "the proxy on the way speaks something else than HTTP/1.1: its answer has no end within 8 KiB",
        ),
    ] {
        let steps: [(&[u8], &[u8]); 1] = [(CONNECT, answer)];
        assert_eq!(lead("http://proxy.test", "b.test", &steps).await.0, Err(says.to_owned()));
    }
}

#[tokio::test]
async fn refusal_of_any_length_is_a_short_line_in_the_log() {
    let line = format!("HTTP/1.1 403 {}\x1b{}", "é".repeat(100), "x".repeat(7_000));
    let answer = format!("{line}\r\n\r\n");
    let steps: [(&[u8], &[u8]); 1] = [(CONNECT, answer.as_bytes())];
    let refused = lead("http://proxy.test", "b.test", &steps).await.0.unwrap_err();
    let shown = format!("HTTP/1.1 403 {}\\u{{1b}}{}…", "é".repeat(100), "x".repeat(81));
    assert_eq!(refused, format!("the proxy on the way refused: {shown}"));
}

#[tokio::test]
async fn socks5_names_the_target_in_each_form() {
    let name: &[u8] = b"\x05\x01\x00\x03\x06b.test\x01\xbb";
    let v4: &[u8] = b"\x05\x01\x00\x01\x0a\x00\x00\x01\x01\xbb";
    let v6: &[u8] = b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb";
    for (host, request, answer) in [
        ("b.test", name, &b"\x05\0\0\x01\0\0\0\0\0\0hello"[..]),
        ("10.0.0.1", v4, b"\x05\0\0\x03\x02ab\0\0hello"),
        ("::1", v6, b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0hello"),
    ] {
        let steps = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (request, answer)];
        let (led, stream) = lead("socks5://proxy.test", host, &steps).await;
        assert_eq!(led, Ok(()));
        assert_eq!(rest(stream).await, b"hello");
    }
}

#[tokio::test]
async fn socks5_logs_in_where_there_is_a_user() {
    let hello = (&b"\x05\x01\x02"[..], &b"\x05\x02"[..]);
    let request = (&b"\x05\x01\x00\x03\x06b.test\x01\xbb"[..], &b"\x05\0\0\x01\0\0\0\0\0\0"[..]);
    let login = b"\x01\x01u\x01p";
    let steps = [hello, (&login[..], &b"\x01\x00"[..]), request];
    assert_eq!(lead("socks5://u:p@proxy.test", "b.test", &steps).await.0, Ok(()));
    let steps = [hello, (&login[..], &b"\x01\x01"[..])];
    let refused = lead("socks5://u:p@proxy.test", "b.test", &steps).await.0.unwrap_err();
    assert_eq!(refused, "the proxy on the way refused: user or password is wrong");
}

#[tokio::test]
async fn socks5_that_is_refused_or_misunderstood_is_an_error() {
    let hello = (&b"\x05\x01\x00"[..], &b"\x05\x00"[..]);
    let request = b"\x05\x01\x00\x03\x06b.test\x01\xbb";
    for (answer, says) in [
        (&b"\x05\x02\x00\x01"[..], "the proxy on the way refused: its rules forbid it"),
        (b"\x05\x05\x00\x01", "the proxy on the way refused: the target refused the connection"),
        (b"\x04\x00\x00\x01", "the proxy on the way speaks something else than SOCKS5"),
        (b"\x05\x00\x00\x09", "the proxy on the way speaks something else than SOCKS5"),
        (b"\x05\x00\x00\x01\x00", "the proxy on the way broke off"),
    ] {
        let steps = [hello, (&request[..], answer)];
        assert_eq!(lead("socks5://proxy.test", "b.test", &steps).await.0, Err(says.to_owned()));
    }
    let steps = [(&b"\x05\x01\x00"[..], &b"\x05\xff"[..])];
    let refused = lead("socks5://proxy.test", "b.test", &steps).await.0.unwrap_err();
    assert_eq!(refused, "the proxy on the way refused: it asks for another way to log in");
    let steps = [(&b"\x05\x01\x00"[..], &b"HT"[..])];
    let refused = lead("socks5://proxy.test", "b.test", &steps).await.0.unwrap_err();
    assert_eq!(refused, "the proxy on the way speaks something else than SOCKS5");
}

#[tokio::test]
async fn answers_that_drip_byte_by_byte_lead_to_the_target_all_the_same() {
    let connect: [(&[u8], &[u8]); 1] = [(CONNECT, b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n")];
    let socks: [(&[u8], &[u8]); 2] =
        [(b"\x05\x01\x00", b"\x05\x00"), (b"\x05\x01\x00\x03\x06b.test\x01\xbb", b"\x05\0\0\x03\x02ab\0\0")];
    for (url, steps) in [("http://proxy.test", &connect[..]), ("socks5://proxy.test", &socks[..])] {
        // No more than a byte is ever on its way.
        let (mut near, mut far) = duplex(1);
        let proxy = async {
            for (told, answer) in steps {
                far.read_exact(&mut vec![0; told.len()]).await.unwrap();
                far.write_all(answer).await.unwrap();
            }
            far.write_all(b"hello").await.unwrap();
            drop(far);
        };
        let upstream = upstream(url);
        let target = async {
            upstream.lead(&mut near, "b.test", 443).await.unwrap();
            rest(near).await
        };
        assert_eq!(tokio::join!(target, proxy).0, b"hello", "{url}");
    }
}

#[tokio::test]
async fn answer_without_end_is_read_no_further_than_8_kib() {
    let (mut near, mut far) = duplex(1024);
    let endless = async {
        far.read_exact(&mut vec![0; CONNECT.len()]).await.unwrap();
        far.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        let mut count = 0;
        while far.write_all(b"X: y\r\n").await.is_ok() {
            count += 6;
        }
        count
    };
    let upstream = upstream("http://proxy.test");
    let led = async {
        let led = upstream.lead(&mut near, "b.test", 443).await;
        drop(near);
        led.unwrap_err().to_string()
    };
    let (refused, sent) = tokio::join!(led, endless);
    assert!(refused.ends_with("its answer has no end within 8 KiB"), "{refused}");
    assert!(sent < super::HEAD + 2 * 1024, "{sent}");
}

#[test]
fn addresses_are_read_with_their_ports() {
    for (url, address) in [
        ("http://proxy.test", "proxy.test:80"),
        ("http://proxy.test:3128/", "proxy.test:3128"),
        ("socks5://[::1]", "[::1]:1080"),
        ("socks5h://[::1]:9050", "[::1]:9050"),
        ("http://a@b:p@proxy.test:1", "proxy.test:1"),
    ] {
        assert_eq!(upstream(url).address().to_string(), address, "{url}");
    }
}

#[test]
fn bad_addresses_are_refused_by_their_fault() {
    for (url, fault) in [
        ("proxy.test:80", UpstreamAddressError::Scheme),
        ("https://proxy.test", UpstreamAddressError::Scheme),
        ("socks4://proxy.test", UpstreamAddressError::Scheme),
        ("http://proxy.test/path", UpstreamAddressError::Path),
        ("http://proxy.test?q", UpstreamAddressError::Path),
        ("http://", UpstreamAddressError::Host),
        ("http://proxy.test:http", UpstreamAddressError::Host),
        ("http://u:%0@proxy.test", UpstreamAddressError::Login),
        ("http://u:a%0d%0aX: y@proxy.test", UpstreamAddressError::Login),
        ("http://u:%ff@proxy.test", UpstreamAddressError::Login),
    ] {
        assert_eq!(Upstream::parse(url), Err(fault), "{url}");
    }
}

#[test]
fn rule_10_debug_hides_user_and_password() {
    let text = format!("{:?}", upstream("http://somebody:secret@proxy.test"));
    assert!(!text.contains("secret") && !text.contains("somebody"), "{text}");
}
