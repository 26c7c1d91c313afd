//! FetchX509SVID on a fresh connection, beside a bare gRPC call over the same kind of socket.

use finial_daemon::Clock;
use finial_receive::{Endpoint, connect};
use finial_testkit::Dev;
use finial_wire::client::WorkloadClient;
use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::measure::{RUNS, median, quantile, wall_ms};

const CALLS: usize = 300;

pub(crate) async fn bench() {
    let dev = Dev::start();
    dev.identity("spiffe://example.org/bench");
    let agent = Endpoint::Unix(dev.agent_socket());
    let folder = tempfile::tempdir().unwrap();
    let bare = serve_bare(folder.path().join("bare.sock")).await;

    let clock = Clock::system();
    let (mut p50, mut p99, mut bare_p50) = (vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let (mut fetches, mut echoes) = (vec![], vec![]);
        for _ in 0..CALLS {
            fetches.push(wall_ms(&clock, fetch(&agent)).await.0);
            echoes.push(wall_ms(&clock, echo(&bare)).await.0);
        }
        p50.push(quantile(&mut fetches, 0.5));
        p99.push(quantile(&mut fetches, 0.99));
        bare_p50.push(quantile(&mut echoes, 0.5));
    }
    let (p50, p99, bare) = (median(&mut p50), median(&mut p99), median(&mut bare_p50));
    println!("FetchX509SVID, fresh connection: p50 {p50:.3} ms, p99 {p99:.3} ms");
    println!("bare gRPC call, fresh connection: p50 {bare:.3} ms; ratio {:.2}\n", p50 / bare);
}

async fn fetch(agent: &Endpoint) {
    let mut stream = WorkloadClient::new(connect(agent)).x509_svids().await.unwrap();
    stream.next().await.unwrap().unwrap();
}

async fn echo(bare: &Endpoint) {
    HealthClient::new(connect(bare)).check(HealthCheckRequest::default()).await.unwrap();
}

async fn serve_bare(path: std::path::PathBuf) -> Endpoint {
    let (_, health) = tonic_health::server::health_reporter();
    let incoming = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
    let server = Server::builder().add_service(health).serve_with_incoming(incoming);
    #[expect(clippy::disallowed_methods, reason = "it ends with the benchmark")]
    tokio::spawn(server);
    Endpoint::Unix(path)
}
