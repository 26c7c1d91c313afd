//! Web servers and local programs: good ones, and ones that hang, lie, or say too much.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use finial_identity::Bundle;
use finial_tls::WebConnector;
use rcgen::{CertificateParams, CertifiedKey};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use super::super::BootstrapError;
use super::super::http::Client;
use super::{Contact, LONG, Occasion, own, text};
use crate::config::{BundleFormat, BundleUrl, TrustBundle};

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Takes one request and gives the answer; returns the request's head.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    // A client that has seen enough hangs up.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    String::from_utf8(head).unwrap()
}

/// A program on this machine, and an agent that asks it.
struct Local {
    contact: Contact,
    listener: UnixListener,
}

impl Local {
    fn new(format: BundleFormat) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bundle.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut contact = Contact::over(&socket, format);
        contact.folder = folder;
        Self { contact, listener }
    }

    async fn ask(&mut self, occasion: Occasion, answer: &str) -> (Result<Bundle, BootstrapError>, String) {
        let Contact { bootstrap, dialer, .. } = &mut self.contact;
        let serving = async { serve(self.listener.accept().await.unwrap().0, answer).await };
        tokio::join!(bootstrap.ask(occasion, dialer), serving)
    }

    /// What becomes of an answer that is none; and whether that may pass.
    async fn refusal(answer: &str) -> (String, bool) {
        let (result, _) = Self::new(BundleFormat::Pem).ask(Occasion::First, answer).await;
        let error = result.unwrap_err();
        (text(&error), error.is_passing())
    }
}

#[tokio::test]
async fn a_program_behind_a_socket_gives_a_bundle_and_is_told_the_circumstances() {
    let bundle = own();
    let mut local = Local::new(BundleFormat::Pem);
    let answer = answer("200 OK", "", &bundle.to_pem());
    let (first, head) = local.ask(Occasion::First, &answer).await;
    assert_eq!(first.unwrap().x509_authorities, bundle.x509_authorities);
    let line = head.lines().next().unwrap();
    assert_eq!(
        line,
        "GET /bundle?instance=a&spiffe-trust-domain=example.org&spire-attest-mode=bootstrap\
         &spire-attest-start-time=2027-01-15T08%3A00%3A00Z&spire-connection-attempts=1\
         &spire-server-address=%3A%3A1&spire-server-port=8081 HTTP/1.1"
    );
    assert!(head.contains("host: localhost\r\n"), "{head}");
    let (_, head) = local.ask(Occasion::Again, &answer).await;
    assert!(head.contains("spire-attest-mode=rebootstrap&"), "{head}");
}

#[tokio::test]
async fn a_changed_bundle_is_seen_at_the_next_question() {
    let mut local = Local::new(BundleFormat::Spiffe);
    for bundle in [own(), own()] {
        let answer = answer("200 OK", "", &bundle.to_spiffe_json());
        let (asked, _) = local.ask(Occasion::Again, &answer).await;
        assert_eq!(asked.unwrap().x509_authorities, bundle.x509_authorities);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = answer("302 Found", "location: https://evil.example/\r\n", "");
    let (error, is_passing) = Local::refusal(&answer).await;
    assert!(error.contains("redirects to https://evil.example/, which is not followed"), "{error}");
    assert!(!is_passing);
}

#[tokio::test]
async fn an_error_of_the_server_may_pass_and_one_of_ours_does_not() {
    for (status, may_pass) in [
        ("500 Internal Server Error", true),
        ("503 Service Unavailable", true),
        ("429 Too Many Requests", true),
        ("404 Not Found", false),
        ("403 Forbidden", false),
        ("204 No Content", false),
    ] {
        let (error, is_passing) = Local::refusal(&answer(status, "", "")).await;
        assert!(error.contains(&format!("it answers {status}")), "{error}");
        assert_eq!(is_passing, may_pass, "{status}");
    }
}

#[tokio::test]
async fn a_page_instead_of_a_bundle_is_refused() {
    let (error, is_passing) = Local::refusal(&answer("200 OK", "", "<html>Sign in</html>")).await;
    assert!(error.contains("the trust bundle http://localhost/bundle?instance=a cannot be used"), "{error}");
    assert!(!is_passing);
    let (error, _) = Local::refusal(&answer("200 OK", "", "")).await;
    assert!(error.contains("cannot be used") || error.contains("holds no certificate"), "{error}");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let (error, is_passing) = Local::refusal(&answer("200 OK", "", &"a".repeat((1 << 20) + 1))).await;
    assert!(error.contains("larger than 1048576 bytes"), "{error}");
    assert!(!is_passing);
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_pass() {
    let (error, is_passing) = Local::refusal("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await;
    assert!(error.contains("its answer broke off"), "{error}");
    assert!(is_passing);
    assert!(Local::refusal("").await.1);
    assert!(Local::refusal("SSH-2.0-OpenSSH\r\n").await.1);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_a_while() {
    let mut local = Local::new(BundleFormat::Pem);
    let Contact { bootstrap, dialer, hand, .. } = &mut local.contact;
    let hanging = async {
        let stream = local.listener.accept().await.unwrap().0;
        hand.sleepers(1).await;
        hand.step(LONG);
        stream
    };
    let (asked, _stream) = tokio::join!(bootstrap.ask(Occasion::First, dialer), hanging);
    let error = asked.unwrap_err();
    assert!(text(&error).contains("no answer within 20s"), "{error}");
    assert!(error.is_passing());
}

#[tokio::test]
async fn a_start_waits_for_a_server_in_trouble() {
    let bundle = own();
    let mut local = Local::new(BundleFormat::Pem);
    let Contact { bootstrap, dialer, hand, .. } = &mut local.contact;
    let serving = async {
        serve(local.listener.accept().await.unwrap().0, &answer("500 Oh", "", "")).await;
        let passing = async {
            loop {
                tokio::task::yield_now().await;
                hand.step(Duration::from_millis(100));
            }
        };
        let stream = tokio::select! {
            biased;
            accepted = local.listener.accept() => accepted.unwrap().0,
            () = passing => unreachable!(),
        };
        serve(stream, &answer("200 OK", "", &bundle.to_pem())).await
    };
    let (waited, head) = tokio::join!(bootstrap.wait(Occasion::First, dialer), serving);
    assert_eq!(waited.unwrap().x509_authorities, bundle.x509_authorities);
    assert!(head.contains("spire-connection-attempts=2&"), "{head}");
}

#[tokio::test]
async fn a_start_does_not_wait_for_what_does_not_pass() {
    let mut local = Local::new(BundleFormat::Pem);
    let Contact { bootstrap, dialer, .. } = &mut local.contact;
    let serving =
        async { serve(local.listener.accept().await.unwrap().0, &answer("404 Gone", "", "")).await };
    let (waited, _) = tokio::join!(bootstrap.wait(Occasion::First, dialer), serving);
    assert!(text(&waited.unwrap_err()).contains("it answers 404"));
}

/// A web server on this machine whose certificate is its own root.
async fn over_https<F: Future<Output = String>>(
    certified: &CertifiedKey<rcgen::KeyPair>,
    trusted: &CertifiedKey<rcgen::KeyPair>,
    serve: impl FnOnce(tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> F,
) -> (Result<Bundle, BootstrapError>, Option<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://localhost:{}/bundle", listener.local_addr().unwrap().port());
    let url = BundleUrl::parse(&url, None).unwrap();
    let mut contact = Contact::with(TrustBundle::NotGiven);
    let web = WebConnector::with_roots([trusted.cert.der().clone()], &contact.clock).unwrap();
    contact.bootstrap.http = Client::new(Some(web), &contact.clock);
    contact.bootstrap.source = TrustBundle::Url(url);
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let serving = async {
        let stream = listener.accept().await.unwrap().0;
        match TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            Ok(stream) => Some(serve(stream).await),
            Err(_) => None,
        }
    };
    tokio::join!(contact.ask(), serving)
}

fn certified() -> CertifiedKey<rcgen::KeyPair> {
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

#[tokio::test]
async fn a_web_server_gives_a_bundle_and_is_told_nothing() {
    let (bundle, certified) = (own(), certified());
    let answer = answer("200 OK", "", &bundle.to_pem());
    let (fetched, head) = over_https(&certified, &certified, |stream| serve(stream, &answer)).await;
    assert_eq!(fetched.unwrap().x509_authorities, bundle.x509_authorities);
    assert!(head.unwrap().starts_with("GET /bundle HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_web_server_that_is_not_trusted_is_asked_nothing() {
    let (mine, theirs) = (certified(), certified());
    let (fetched, head) = over_https(&theirs, &mine, |stream| serve(stream, "")).await;
    let error = fetched.unwrap_err();
    assert!(text(&error).contains("add its authority to those of the operating system"), "{}", text(&error));
    assert!(!error.is_passing());
    assert!(head.is_none());
}
