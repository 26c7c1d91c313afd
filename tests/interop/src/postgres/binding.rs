//! Channel binding and direct TLS.

use std::process::Command;

use finial_postgres::tokio_postgres::config::{ChannelBinding, SslNegotiation};
use finial_postgres::{Connector, Error, Server};
use finial_receive::{WebFiles, WebRoots, WebSource};
use finial_testkit::run;

use super::{BY_COMMON_NAME, Ground};
use crate::peers::program;

const BY_PASSWORD_TOO: &str = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_and_certificate_are_bound_to_the_servers_certificate() {
    let Some(ground) = Ground::new(BY_PASSWORD_TOO, "").await else { return };
    ground.postgres.ask("ALTER ROLE app PASSWORD 'sesame'");
    let mut config = ground.config();
    config.password("sesame").channel_binding(ChannelBinding::Require);
    ground.connect(&ground.connector(), &config).await.expect("a connection that is bound");
    let refusal = ground.refusal(&ground.connector(), config.password("other")).await;
    assert!(matches!(refusal, Error::Postgres(_)), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_alone_binds_nothing_and_the_error_says_so() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let mut config = ground.config();
    let refusal = ground.refusal(&ground.connector(), config.channel_binding(ChannelBinding::Require)).await;
    assert!(matches!(refusal, Error::NoChannelBinding { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("scram-sha-256"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ed25519_has_nothing_to_bind_by_so_that_prefer_goes_without_and_require_fails() {
    let Some(openssl) = program("openssl") else { return };
    let Some(ground) = Ground::new(BY_PASSWORD_TOO, "").await else { return };
    ground.postgres.ask("ALTER ROLE app PASSWORD 'sesame'");
    // A server of a company's PKI, which goes on knowing workloads by our bundle.
    let folder = ground.dev.write_svid();
    std::fs::write(folder.join("leaf.ext"), "subjectAltName=DNS:localhost\n").expect("a file");
    for args in [
        "req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=company -keyout company.key -out company.pem",
        "req -newkey ed25519 -nodes -subj /CN=localhost -keyout svid.0.key -out leaf.csr",
        "x509 -req -in leaf.csr -CA company.pem -CAkey company.key -CAcreateserial -days 2 -extfile leaf.ext -out svid.0.pem",
    ] {
        run(Command::new(&openssl).current_dir(&folder).args(args.split(' '))).expect_success();
    }
    ground.postgres.present(&folder);

    let files = WebFiles { own: None, roots: WebRoots::File(folder.join("company.pem")) };
    let roots =
        WebSource::from_files(files, None, ground.source.clock(), &ground.tasks).await.expect("roots");
    let connector = Connector::new(&ground.source, Server::by_host_with_roots(&roots));
    let mut config = ground.config();
    config.password("sesame");
    ground.connect(&connector, &config).await.expect("a connection that is not bound");
    let refusal = ground.refusal(&connector, config.channel_binding(ChannelBinding::Require)).await;
    assert!(matches!(refusal, Error::NoChannelBinding { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("Ed25519"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_tls_with_a_server_before_17_says_what_to_leave_out() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let version: u32 = ground.postgres.ask("SHOW server_version_num").parse().expect("a number");
    let mut config = ground.config();
    let connected = ground.connect(&ground.connector(), config.ssl_negotiation(SslNegotiation::Direct)).await;
    match connected {
        Ok(_) => assert!(version >= 170_000, "{version}"),
        Err(refusal) => {
            assert!(version < 170_000, "{version}");
            assert!(matches!(refusal, Error::ServerWithoutDirectTls(_)), "{refusal:?}");
            assert!(refusal.to_string().ends_with("leave out sslnegotiation=direct"), "{refusal}");
        }
    }
}
