//! The crates spiffe and spiffe-rustls: another Workload API client, and another TLS policy, in Rust.

use std::sync::Arc;

use finial_daemon::{Clock, Tasks};
use finial_identity::SpiffeId;
use finial_receive::{Endpoint, Source};
use finial_testkit::{Dev, LIMIT};
use finial_tls::{Acceptor, Connector, Policy};
use rustls_pki_types::ServerName;
use spiffe::{BundleSource, JwtSource, JwtSvid, TrustDomain, X509Source};
use spiffe_rustls::{authorizer, mtls_client, mtls_server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const ID: &str = "spiffe://example.org/ns/interop/sa/rust";
const SOMEBODY_ELSE: &str = "spiffe://example.org/somebody-else";

fn dev() -> Dev {
    let dev = Dev::start();
    dev.identity(ID);
    dev
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    Clock::system().timeout(LIMIT, what).await.expect("done in time")
}

async fn their_source(dev: &Dev) -> X509Source {
    in_time(X509Source::builder().endpoint(dev.endpoint()).build()).await.expect("an X509Source")
}

async fn our_source(dev: &Dev) -> (Tasks, Source) {
    let clock = Clock::system();
    let tasks = Tasks::new(clock.clone());
    let endpoint = Endpoint::parse(&dev.endpoint()).expect("a socket");
    let source = Source::from_workload_api(&endpoint, &clock, &tasks);
    in_time(source.ready()).await.expect("an identity");
    (tasks, source)
}

fn only(id: &str) -> Policy {
    Policy::ids([SpiffeId::parse(id).expect("a SPIFFE ID")])
}

fn name() -> ServerName<'static> {
    // Neither side looks at it.
    ServerName::try_from("interop.test").expect("a DNS name")
}

#[tokio::test(flavor = "multi_thread")]
async fn their_x509_source_follows_a_rotation_of_the_authority() {
    let dev = dev();
    let source = their_source(&dev).await;
    let domain = TrustDomain::new("example.org").expect("a trust domain");
    let authorities = || {
        let bundle = source.bundle_for_trust_domain(&domain).expect("a source").expect("a bundle");
        bundle.authorities().to_vec()
    };
    let (first, old) = (source.svid().expect("an SVID"), authorities());
    assert_eq!(first.spiffe_id().to_string(), ID);
    let mut updates = source.updated();
    tokio::task::block_in_place(|| dev.rotate_ca());
    in_time(async {
        while source.svid().expect("an SVID").leaf() == first.leaf()
            || authorities().iter().any(|a| old.contains(a))
        {
            updates.changed().await.expect("another update");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn their_jwt_source_fetches_what_they_validate() {
    let dev = dev();
    let source =
        in_time(Box::pin(JwtSource::builder().endpoint(dev.endpoint()).build())).await.expect("a JwtSource");
    let svid = in_time(source.fetch_jwt_svid(["accounts"])).await.expect("a JWT-SVID");
    assert_eq!(svid.spiffe_id().to_string(), ID);
    let valid = JwtSvid::parse_and_validate(svid.token(), &source, &["accounts"]).expect("a valid token");
    assert_eq!(valid.spiffe_id().to_string(), ID);
    JwtSvid::parse_and_validate(svid.token(), &source, &["payroll"]).expect_err("a foreign audience");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_connector_and_their_server_agree() {
    let dev = dev();
    let config =
        mtls_server(their_source(&dev).await).authorize(authorizer::exact([ID]).expect("an ID")).build();
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a server")));
    let (_tasks, source) = our_source(&dev).await;
    let connector = Connector::new(&source, only(ID));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (ours, theirs) =
        in_time(async { tokio::join!(connector.connect(near, name()), acceptor.accept(far)) }).await;
    let ours = ours.expect("our side");
    assert_eq!(ours.peer.spiffe_id().as_str(), ID);
    in_time(greet(ours.stream, theirs.expect("their side"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_acceptor_and_their_client_agree() {
    let dev = dev();
    let config =
        mtls_client(their_source(&dev).await).authorize(authorizer::exact([ID]).expect("an ID")).build();
    let connector = TlsConnector::from(Arc::new(config.expect("a client")));
    let (_tasks, source) = our_source(&dev).await;
    let acceptor = Acceptor::new(&source, only(ID));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (theirs, ours) =
        in_time(async { tokio::join!(connector.connect(name(), near), acceptor.accept(far)) }).await;
    let ours = ours.expect("our side");
    assert_eq!(ours.peer.spiffe_id().as_str(), ID);
    in_time(greet(theirs.expect("their side"), ours.stream)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_refuses_an_identity_that_it_did_not_expect() {
    let dev = dev();
    let (_tasks, source) = our_source(&dev).await;
    let them = their_source(&dev).await;
    let other = || authorizer::exact([SOMEBODY_ELSE]).expect("an ID");

    let config = mtls_server(them.clone()).build().expect("a server");
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (connector, acceptor) =
        (Connector::new(&source, only(SOMEBODY_ELSE)), TlsAcceptor::from(Arc::new(config)));
    let (ours, _) =
        in_time(async { tokio::join!(connector.connect(near, name()), acceptor.accept(far)) }).await;
    ours.expect_err("our client talks to nobody else");

    let config = mtls_client(them).authorize(other()).build().expect("a client");
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (connector, acceptor) = (TlsConnector::from(Arc::new(config)), Acceptor::new(&source, only(ID)));
    let (theirs, _) =
        in_time(async { tokio::join!(connector.connect(name(), near), acceptor.accept(far)) }).await;
    theirs.expect_err("their client talks to nobody else");
}

/// One word each way: in TLS 1.3 a refusal of the client's certificate shows only now.
async fn greet(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
) {
    let mut word = [0; 4];
    client.write_all(b"ping").await.expect("sent");
    server.read_exact(&mut word).await.expect("received");
    assert_eq!(&word, b"ping");
    server.write_all(b"pong").await.expect("sent");
    client.read_exact(&mut word).await.expect("received");
    assert_eq!(&word, b"pong");
}
