//! Proxies with certificates of a PKI that knows nothing of SPIFFE, from files.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_daemon::{Clock, ClockHand};
use finial_identity::{ForeignChain, SpkiPin};
use finial_receive::testing::{Authority, start};
use finial_tls::WebConnector;
use rcgen::{DnType, SanType};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixtures::{beside, dial, listener, local, read_to_end};
use crate::{
    AccessFlags, App, ClientConfig, CredentialFlags, ProxyError, ProxyProtocol, ServerConfig, StatusFlags,
    Upstream, build,
};

/// A folder with a root, and a pair for each party.
pub(super) struct Web {
    folder: TempDir,
    pub(super) authority: Authority,
    pub(super) clock: Clock,
    pub(super) hand: ClockHand,
}

impl Web {
    pub(super) fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new("example.org"));
        fs::write(folder.path().join("ca.pem"), authority.bundle().to_pem()).unwrap();
        let web = Self { folder, authority, clock, hand };
        for name in ["server", "client", "other"] {
            web.write_pair(name, name);
        }
        web
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write_pair(&self, file: &str, name: &str) {
        let (chain, key) = self.authority.leaf("spiffe://example.org/x", start(), |params| {
            params.subject_alt_names = vec![
                SanType::DnsName("localhost".try_into().unwrap()),
                SanType::IpAddress("127.0.0.1".parse().unwrap()),
            ];
            params.distinguished_name.push(DnType::CommonName, name);
        });
        let pem = finial_receive::testing::pem(&chain);
        fs::write(self.path(&format!("{file}.pem")), pem).unwrap();
        fs::write(self.path(&format!("{file}.key")), key.to_pem().as_bytes()).unwrap();
    }

    pub(super) fn leaf(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap()
    }

    pub(super) fn client_der(&self) -> Vec<u8> {
        CertificateDer::from_pem_file(self.path("client.pem")).unwrap().to_vec()
    }

    fn pin(&self, name: &str) -> String {
        let chain = CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap();
        SpkiPin::of(ForeignChain::from_chain(vec![chain]).unwrap().public_key()).to_string()
    }

    fn credentials(&self, name: &str) -> CredentialFlags {
        CredentialFlags {
            certificate: Some(self.path(&format!("{name}.pem"))),
            key: Some(self.path(&format!("{name}.key"))),
            authorities: Some(self.path("ca.pem")),
            ..CredentialFlags::default()
        }
    }

    pub(super) fn server(&self, target: SocketAddr, common_name: &str) -> ServerConfig {
        let allow = AccessFlags { common_names: vec![common_name.to_owned()], ..AccessFlags::default() };
        let config = ServerConfig::new(local(0), local(target.port()), self.credentials("server"));
        ServerConfig { allow, ..config }
    }

    pub(super) fn client(&self, target: SocketAddr) -> ClientConfig {
        ClientConfig::new(local(0), local(target.port()), self.credentials("client"))
    }

    pub(super) async fn server_app(&self, config: ServerConfig) -> App {
        build(config, &self.clock).await.unwrap()
    }
}

/// A caller through both proxies gets what the backend says, or is cut.
async fn speak(web: &Web, front: App, client: ClientConfig, backend: &tokio::net::TcpListener) -> bool {
    let back = build(client, &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        caller.write_all(b"question").await.unwrap();
        caller.shutdown().await.unwrap();
        let answered = async {
            tokio::select! {
                answer = read_to_end(&mut caller) => answer.is_ok_and(|answer| answer == "answer"),
                () = async {
                    let (mut stream, _) = backend.accept().await.unwrap();
                    assert_eq!(read_to_end(&mut stream).await.unwrap(), "question");
                    stream.write_all(b"answer").await.unwrap();
                    drop(stream);
                    std::future::pending::<()>().await;
                } => false,
            }
        };
        answered.await
    };
    beside(front, &web.clock, beside(back, &web.clock, test)).await
}

#[tokio::test]
async fn plain_programs_speak_through_two_proxies_with_certificates_of_their_own() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let client = web.client(front.address().unwrap());
    assert!(speak(&web, front, client, &backend).await);
}

#[tokio::test]
async fn client_of_another_common_name_is_cut() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "other")).await;
    let client = web.client(front.address().unwrap());
    assert!(!speak(&web, front, client, &backend).await);
}

#[tokio::test]
async fn server_that_is_for_another_name_is_left() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let client = web.client(front.address().unwrap());
    let client = ClientConfig { server_name: Some("elsewhere.test".to_owned()), ..client };
    assert!(!speak(&web, front, client, &backend).await);
}

#[tokio::test]
async fn server_of_another_unit_than_verified_is_left() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let client = web.client(front.address().unwrap());
    let verify = AccessFlags { organizational_units: vec!["payments".to_owned()], ..AccessFlags::default() };
    assert!(!speak(&web, front, ClientConfig { verify, ..client }, &backend).await);
}

#[tokio::test]
async fn pinned_keys_speak_though_no_authority_is_trusted_and_others_do_not() {
    let web = Web::new();
    fs::remove_file(web.path("ca.pem")).unwrap();
    for (of_client, of_server, speaks) in
        [("client", "server", true), ("other", "server", false), ("client", "other", false)]
    {
        let (backend, target) = listener().await;
        let pins = |name| AccessFlags { pins: vec![web.pin(name)], ..AccessFlags::default() };
        let server = ServerConfig { allow: pins(of_client), ..web.server(target, "unused") };
        let front = web.server_app(server).await;
        let client = ClientConfig { verify: pins(of_server), ..web.client(front.address().unwrap()) };
        assert_eq!(speak(&web, front, client, &backend).await, speaks, "{of_client} {of_server}");
    }
}

#[tokio::test]
async fn server_without_authentication_takes_a_client_that_presents_nothing() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let config = ServerConfig {
        allow: AccessFlags::default(),
        disable_authentication: true,
        ..web.server(target, "client")
    };
    let front = web.server_app(config).await;
    let client = web.client(front.address().unwrap());
    let credentials =
        CredentialFlags { authorities: client.credentials.authorities, ..CredentialFlags::default() };
    let client =
        ClientConfig { credentials, disable_authentication: true, ..web.client(front.address().unwrap()) };
    assert!(speak(&web, front, client, &backend).await);
}

#[tokio::test]
async fn client_that_presents_nothing_is_cut_by_a_server_that_asks() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let client = web.client(front.address().unwrap());
    let credentials = CredentialFlags { certificate: None, key: None, ..client.credentials.clone() };
    let client = ClientConfig { credentials, disable_authentication: true, ..client };
    assert!(!speak(&web, front, client, &backend).await);
}

/// The serial number of the certificate that the proxy presents.
async fn presented(web: &Web, address: SocketAddr) -> Vec<u8> {
    let roots = web.authority.bundle().x509_authorities.clone();
    let roots = roots.iter().map(|root| root.certificate().clone());
    let connector = WebConnector::with_roots(roots, &web.clock).unwrap();
    let stream = connector.connect(dial(address).await, "localhost".try_into().unwrap()).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn reload_presents_the_next_certificate_and_a_bad_one_is_passed_over() {
    let web = Web::new();
    let (_backend, target) = listener().await;
    let config = ServerConfig {
        allow: AccessFlags::default(),
        disable_authentication: true,
        ..web.server(target, "client")
    };
    let front = web.server_app(config).await;
    let (address, reloader) = (front.address().unwrap(), front.reloader());
    beside(front, &web.clock, async {
        let first = presented(&web, address).await;
        fs::copy(web.path("other.key"), web.path("server.key")).unwrap();
        reloader.reload();
        while reloader.refused() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(presented(&web, address).await, first);
        web.write_pair("server", "server");
        reloader.reload();
        while presented(&web, address).await == first {}
    })
    .await;
}

#[tokio::test]
async fn open_connection_is_cut_when_its_root_is_taken_out_of_the_file() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let reloader = front.reloader();
    let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        caller.write_all(b"!").await.unwrap();
        let (mut stream, _) = backend.accept().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
        let other = Arc::clone(&Authority::new("example.org").bundle());
        fs::write(web.path("ca.pem"), other.to_pem()).unwrap();
        reloader.reload();
        assert!(stream.read_u8().await.is_err());
        assert!(caller.read_u8().await.is_err());
    };
    beside(front, &web.clock, beside(back, &web.clock, test)).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let web = Web::new();
    let (_backend, target) = listener().await;
    fs::write(web.path("ca.pem"), "").unwrap();
    let error = build(web.server(target, "client"), &web.clock).await.unwrap_err();
    assert!(matches!(error, ProxyError::Files(_)));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("ca.pem holds no certificate in PEM"), "{cause}");
}

#[tokio::test]
async fn backend_is_told_of_the_caller_before_its_first_byte() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let told = Some(ProxyProtocol::TlsFull);
    let front =
        web.server_app(ServerConfig { proxy_protocol_mode: told, ..web.server(target, "client") }).await;
    let port = front.address().unwrap().port();
    let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        caller.write_all(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n").await.unwrap();
        let (mut stream, _) = backend.accept().await.unwrap();
        let mut header = [0; 28];
        stream.read_exact(&mut header).await.unwrap();
        assert_eq!(header[..14], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11");
        assert_eq!(header[16..24], [127, 0, 0, 1, 127, 0, 0, 1]);
        assert_eq!(header[26..], port.to_be_bytes());
        let mut fields = vec![0; usize::from(u16::from_be_bytes([header[14], header[15]])) - 12];
        stream.read_exact(&mut fields).await.unwrap();
        let der = web.client_der();
        assert!(fields.windows(der.len()).any(|window| window == der));
        let mut first = [0; 6];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(first, *b"PROXY ");
    };
    beside(front, &web.clock, beside(back, &web.clock, test)).await;
}

#[tokio::test]
async fn caller_who_does_not_fit_into_a_header_never_reaches_the_backend() {
    let web = Web::new();
    let (backend, target) = listener().await;
    // Told twice, by itself and in the certificate.
    let long = "client".repeat(6_000);
    web.write_pair("client", &long);
    for (told, is_told) in [(ProxyProtocol::Tls, true), (ProxyProtocol::TlsFull, false)] {
        let config = ServerConfig { proxy_protocol_mode: Some(told), ..web.server(target, &long) };
        let front = web.server_app(config).await;
        let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
        let address = back.address().unwrap();
        let test = async {
            let mut caller = dial(address).await;
            caller.write_all(b"!").await.unwrap();
            tokio::select! {
                accepted = backend.accept() => assert!(is_told, "{accepted:?}"),
                ended = caller.read_u8() => assert!(!is_told && ended.is_err()),
            }
        };
        beside(front, &web.clock, beside(back, &web.clock, test)).await;
    }
}

#[tokio::test]
async fn client_reaches_its_target_by_way_of_a_proxy() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let (way, way_address) = listener().await;
    let front = web.server_app(web.server(target, "client")).await;
    let front_address = front.address().unwrap();
    let upstream = Some(Upstream::parse(&format!("http://{way_address}")).unwrap());
    let client = ClientConfig { upstream, ..web.client(front_address) };
    let way = async {
        let (mut stream, _) = way.accept().await.unwrap();
        let request = format!("CONNECT {front_address} HTTP/1.1\r\nHost: {front_address}\r\n\r\n");
        let mut told = vec![0; request.len()];
        stream.read_exact(&mut told).await.unwrap();
        assert_eq!(String::from_utf8(told).unwrap(), request);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut onward = dial(front_address).await;
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
    };
    let (answered, ()) = tokio::join!(speak(&web, front, client, &backend), way);
    assert!(answered);
}

#[tokio::test]
async fn status_tells_that_files_are_being_read_again() {
    let web = Web::new();
    let (_backend, target) = listener().await;
    let address = Some(format!("http://{}", local(0)));
    let status = StatusFlags { address, ..StatusFlags::default() };
    let app = web.server_app(ServerConfig { status, ..web.server(target, "client") }).await;
    let (status, reloader) = (app.status_address().unwrap(), app.reloader());
    let message = async || {
        let mut stream = dial(status).await;
        stream.write_all(b"GET /_status HTTP/1.1\r\nhost: status\r\n\r\n").await.unwrap();
        let answer = read_to_end(&mut stream).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let report: serde_json::Value = serde_json::from_str(body).unwrap();
        format!("{} {}", head.split(' ').nth(1).unwrap(), report["message"].as_str().unwrap())
    };
    beside(app, &web.clock, async {
        assert_eq!(message().await, "200 listening");
        // A pipe is being read for as long as nobody writes into it.
        let (key, kept) = (web.path("server.key"), web.path("kept.key"));
        fs::rename(&key, &kept).unwrap();
        mknodat(CWD, &key, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        reloader.reload();
        assert_eq!(message().await, "200 reloading");
        let write = move || fs::write(&key, fs::read(&kept).unwrap()).unwrap();
        tokio::task::spawn_blocking(write).await.unwrap();
        while message().await != "200 listening" {}
        assert_eq!(reloader.refused(), 0);
    })
    .await;
}

/// The name is too long for any resolver to be asked for it.
#[tokio::test]
async fn a_target_whose_name_is_not_known_is_told_at_the_start_unless_nobody_asks() {
    let web = Web::new();
    let target = format!("{}.test:1", "x".repeat(300));
    let config = ServerConfig {
        unsafe_target: true,
        targets: vec![target.clone()],
        ..web.server("127.0.0.1:1".parse().unwrap(), "client")
    };
    let error = build(config.clone(), &web.clock).await.unwrap_err();
    let told = error.to_string();
    assert_eq!(
        told,
        format!("invalid target address: {target} cannot be resolved; --skip-resolve starts without")
    );
    assert!(build(ServerConfig { skip_resolve: true, ..config }, &web.clock).await.is_ok());
}

#[tokio::test]
async fn backend_is_told_the_certificate_of_a_caller_of_the_web_and_no_spiffe_id() {
    let web = Web::new();
    let (chain, key) = web.authority.leaf("spiffe://example.org/admin", start(), |params| {
        params.distinguished_name.push(DnType::CommonName, "client");
    });
    fs::write(web.path("client.pem"), finial_receive::testing::pem(&chain)).unwrap();
    fs::write(web.path("client.key"), key.to_pem().as_bytes()).unwrap();
    let (backend, target) = listener().await;
    let front = web.server_app(ServerConfig { identity_header: true, ..web.server(target, "client") }).await;
    let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        let raw = "GET / HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: spiffe://example.org/admin\r\nClient-Cert: :AA==:\r\n\r\n";
        caller.write_all(raw.as_bytes()).await.unwrap();
        let (mut stream, _) = backend.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(heard).unwrap()
    };
    let heard = beside(front, &web.clock, beside(back, &web.clock, test)).await;
    let certificate = format!("client-cert: :{}:", STANDARD.encode(web.client_der()));
    let lines: Vec<_> = heard.lines().filter(|line| line.starts_with("client-cert")).collect();
    assert_eq!(lines, [certificate]);
    assert!(!heard.contains("x-spiffe-id"), "{heard}");
}
