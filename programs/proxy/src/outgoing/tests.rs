//! URLs that are read, and answers that count.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_daemon::Clock;
use finial_receive::testing::start;
use finial_tls::WebConnector;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::{HttpUrl, HttpUrlError, RequestError, Site};

fn site(url: &str) -> Site {
    let (clock, _hand) = Clock::manual(start());
    Site::new(HttpUrl::parse(url).unwrap(), &clock)
}

/// The head of a request, up to its empty line.
async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// What comes of asking a server that answers so, and closes.
async fn ask(url: &str, answer: &[u8]) -> (Result<u16, String>, String) {
    let (near, mut far) = duplex(64 * 1024);
    let server = async {
        let asked = head(&mut far).await;
        far.write_all(answer).await.unwrap();
        drop(far);
        asked
    };
    let site = site(url);
    let (answer, asked) = tokio::join!(site.ask(near), server);
    (answer.map(|code| code.as_u16()).map_err(|error| error.to_string()), asked)
}

#[test]
fn urls_are_read_or_refused_with_the_part_at_fault() {
    for (url, shown) in [
        ("http://localhost", "http://localhost:80/"),
        ("https://localhost", "https://localhost:443/"),
        ("http://localhost:8080/healthz", "http://localhost:8080/healthz"),
        ("http://[::1]/", "http://[::1]:80/"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
        ("http://host?secret=1", "http://host:80/"),
        ("http://host/a?b=c#fragment", "http://host:80/a"),
        ("http://user:pass@host/", "http://host:80/"),
        ("https://my_host/", "https://my_host:443/"),
    ] {
        assert_eq!(HttpUrl::parse(url).unwrap().to_string(), shown, "{url}");
    }
    for (url, fault) in [
        ("", HttpUrlError::Scheme),
        ("localhost:80", HttpUrlError::Scheme),
        ("HTTP://localhost", HttpUrlError::Scheme),
        ("ftp://localhost", HttpUrlError::Scheme),
        ("http://", HttpUrlError::Host),
        ("http://:80/", HttpUrlError::Host),
        ("http://host:99999/", HttpUrlError::Host),
        ("http://::1/", HttpUrlError::Host),
        ("http://ho st/", HttpUrlError::Host),
        ("http://host\r\nx: y/", HttpUrlError::Host),
        ("https://höst/", HttpUrlError::Host),
        ("http://host/a b", HttpUrlError::Path),
        ("http://host/\r\nx:", HttpUrlError::Path),
        ("http://a%zz:b@host/", HttpUrlError::Login),
        ("http://a%0a:b@host/", HttpUrlError::Login),
    ] {
        assert_eq!(HttpUrl::parse(url).unwrap_err(), fault, "{url}");
    }
}

#[test]
fn rule_10_debug_hides_user_password_and_query() {
    let url = HttpUrl::parse("https://user:hunter2@host/path?token=hunter2").unwrap();
    assert_eq!(format!("{url:?}"), "HttpUrl(https://host:443/path)");
}

#[tokio::test]
async fn request_names_host_path_and_login() {
    let (answer, asked) = ask("http://me:you@host:81/healthz?full=1", b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(answer, Ok(200));
    let asked: Vec<_> = asked.trim_end().split("\r\n").collect();
    assert_eq!(asked, ["GET /healthz?full=1 HTTP/1.1", "host: host:81", "authorization: Basic bWU6eW91"]);
}

#[tokio::test]
async fn answers_count_by_their_status_alone() {
    for (answer, code) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 200),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf a body", 200),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 301 Moved\r\nlocation: /elsewhere\r\n\r\n", 301),
        (b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n", 503),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200),
    ] {
        assert_eq!(ask("http://host/", answer).await.0, Ok(code), "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    let endless = [&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'y'; 32 * 1024]].concat();
    for answer in [&b""[..], b"HTTP/1.1 2", b"220 mail.test ESMTP\r\n", b"\0\0\0\x06", &endless] {
        assert!(ask("http://host/", answer).await.0.is_err(), "{}", answer.escape_ascii());
    }
}

/// What comes of asking a server that is called `localhost` by another name, or by its own.
async fn ask_by_tls(name: &str) -> Result<u16, RequestError> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let (near, far) = duplex(64 * 1024);
    let server = async {
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(far).await {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        }
    };
    let (clock, _hand) = Clock::manual(start());
    let connector = WebConnector::with_roots([root.der().clone()], &clock).unwrap();
    let site = Site { tls: connector.into(), ..site(&format!("https://{name}/")) };
    let (answer, ()) = tokio::join!(site.ask(near), server);
    answer.map(|code| code.as_u16())
}

#[tokio::test]
async fn by_https_only_a_server_of_that_name_is_asked() {
    assert_eq!(ask_by_tls("localhost").await.unwrap(), 200);
    assert!(matches!(ask_by_tls("elsewhere.test").await, Err(RequestError::Tls(_))));
}
