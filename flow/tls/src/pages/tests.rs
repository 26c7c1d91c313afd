//! Who is let in to read the metrics, and who is not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::net::SocketAddr;

use finial_daemon::pages::Page;
use finial_receive::testing::{Authority, pem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::Connector;
use crate::fixtures::{CLIENT, Pair, SERVER, name, only, stranger_client};

async fn served(tls: PrometheusTls, source: &Source, clock: &Clock, tasks: &Tasks) -> SocketAddr {
    let prometheus = PrometheusConfig { host: "127.0.0.1".into(), port: 0, tls: Some(tls) };
    let config = TelemetryConfig { prometheus: Some(prometheus), ..TelemetryConfig::default() };
    let pages = metrics_pages(&config, source, clock, tasks).await.unwrap().unwrap();
    let address = pages.address().unwrap();
    pages.serve("metrics", |_| Page::ok(Page::PROMETHEUS, "up 1\n".to_owned()), clock, tasks);
    address
}

async fn asked(mut stream: impl Duplex) -> String {
    // Whoever is refused may hear of it when it writes, or when it reads.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn holders_of_the_named_ids_read_the_metrics_by_svid_and_others_do_not() {
    let pair = Pair::new();
    let clock = pair.server.clock().clone();
    let tasks = Tasks::new(clock.clone());
    for (authorized, reads) in [(CLIENT, true), ("spiffe://example.org/other", false)] {
        let tls = PrometheusTls::Svid { authorized: vec![authorized.to_owned()] };
        let address = served(tls, &pair.server, &clock, &tasks).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = Connector::new(&pair.client, only(SERVER));
        let answer = match connector.connect(stream, name()).await {
            Ok(secured) => asked(secured.stream).await,
            Err(_) => String::new(),
        };
        assert_eq!(answer.ends_with("up 1\n"), reads, "{answer}");
    }
}

#[tokio::test]
async fn metrics_are_read_by_files_with_a_certificate_where_one_is_asked_for() {
    let pair = Pair::new();
    let clock = pair.server.clock().clone();
    let (tasks, folder) = (Tasks::new(clock.clone()), tempfile::tempdir().unwrap());
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let authority = Authority::new("example.org");
    let (own, other) = (authority.credential(SERVER), authority.credential(CLIENT));
    let (cert_file, key_file) =
        (write("cert.pem", pem(own.svid().chain())), write("key.pem", own.key().to_pem().to_string()));
    let ca = finial_identity::certificates_to_pem(
        authority.bundle().x509_authorities.iter().map(|authority| authority.certificate()),
    );
    let client_ca_file = Some(write("ca.pem", ca));
    for (client_ca_file, shows, reads) in
        [(None, false, true), (client_ca_file.clone(), true, true), (client_ca_file, false, false)]
    {
        let tls =
            PrometheusTls::Files { cert_file: cert_file.clone(), key_file: key_file.clone(), client_ca_file };
        let address = served(tls, &pair.server, &clock, &tasks).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let presented = shows.then(|| (other.svid().chain().to_vec(), other.key().clone()));
        let client = stranger_client(&[&rustls::version::TLS13], presented);
        let answer = match TlsConnector::from(client).connect(name(), stream).await {
            Ok(stream) => asked(stream).await,
            Err(_) => String::new(),
        };
        assert_eq!(answer.ends_with("up 1\n"), reads, "{answer}");
    }
}
