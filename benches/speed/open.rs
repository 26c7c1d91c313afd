//! What programs hold that have nothing to do, and what an open stream of the Workload API costs beside a bare one.

use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use finial_daemon::Clock;
use finial_receive::{Endpoint, connect};
use finial_testkit::Pair;
use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::measure::resident_kb;
use crate::raw;

/// One process may hold 1,000 streams.
const STREAMS: usize = 900;

/// The argument that makes this program a bare server.
pub(crate) const SERVE: &str = "serve-bare";

pub(crate) async fn bench() {
    let clock = Clock::system();
    let pair = Pair::new();
    let server = pair.server();
    let agent = pair.join();
    let megabytes = |pid| resident_kb(pid) / 1e3;
    for (when, since) in [("5 s", 5), ("65 s", 60)] {
        clock.sleep(Duration::from_secs(since)).await;
        println!(
            "idle for {when}: server {:.1} MB, agent {:.1} MB",
            megabytes(server.id()),
            megabytes(agent.id())
        );
    }

    let endpoint = Endpoint::Unix(pair.path("agent.sock").into());
    let open = async || {
        let mut stream = raw::stream(connect(&endpoint), "/SpiffeWorkloadAPI/FetchX509SVID").await.unwrap();
        stream.next().await.unwrap().unwrap();
        stream
    };
    let ours = cost(&clock, agent.id(), open).await;

    let socket = pair.path("bare.sock");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut bare = command.args([SERVE, &socket]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(bare.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let endpoint = Endpoint::Unix(socket.into());
    let open = async || {
        let client = HealthClient::new(connect(&endpoint)).watch(HealthCheckRequest::default()).await;
        let mut stream = client.unwrap().into_inner();
        stream.next().await.unwrap().unwrap();
        stream
    };
    let theirs = cost(&clock, bare.id(), open).await;
    bare.kill().unwrap();
    bare.wait().unwrap();
    println!(
        "memory of {STREAMS} streams of FetchX509SVID, each on its own connection: {ours:.1} kB each; of bare streams of tonic: {theirs:.1} kB; ratio {:.2}\n",
        ours / theirs
    );
}

/// What a stream costs the process that serves it, in kB. What the first one costs once for all is not counted.
async fn cost<S>(clock: &Clock, pid: u32, open: impl AsyncFn() -> S) -> f64 {
    let mut streams = vec![open().await];
    let before = resident_kb(pid);
    while streams.len() <= STREAMS {
        streams.push(open().await);
    }
    // What was needed only for a moment is given back.
    clock.sleep(Duration::from_secs(1)).await;
    (resident_kb(pid) - before) / STREAMS as f64
}

/// Serves streams that say one thing and then nothing, until it is killed.
pub(crate) async fn serve(socket: &str) {
    let (_, health) = tonic_health::server::health_reporter();
    let incoming = UnixListenerStream::new(UnixListener::bind(Path::new(socket)).unwrap());
    println!("ready");
    Server::builder().add_service(health).serve_with_incoming(incoming).await.unwrap();
}
