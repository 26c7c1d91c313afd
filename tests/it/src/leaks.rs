//! Many connections, and many more that come and go: in the end a server and an agent hold what they held before.
//!
//! Some in `make test`; 1,000,000 cycles and 15,000 connections with `FINIAL_SOAK=1`, as `make soak` sets.

use std::path::Path;
use std::time::Duration;

use finial_daemon::{Clock, Tasks, descriptors};
use finial_identity::{BundleSet, TrustDomain};
use finial_receive::{Endpoint, Source, SourceWriter};
use finial_testkit::Pair;
use finial_tls::{Connector, Policy};
use finial_wire::client::{BundleClient, WorkloadClient};
use futures_util::{StreamExt, stream};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// (in `make test`, in `make soak`)
const CYCLES: (usize, usize) = (4_000, 1_000_000);
const CONNECTIONS: (usize, usize) = (300, 15_000);
/// How often a tenth of them is replaced.
const ROUNDS: (usize, usize) = (100, 200);
/// Streams that are open at a time to an agent, and how many descriptors it may take for each: the socket, and the process
/// at its other end.
const STREAMS: (usize, usize) = (100, 2);
/// One of so many cycles fetches an SVID; the others open HTTP/2 and go.
const FETCHES: usize = 20;
/// How many looks are taken on the way.
const LOOKS: usize = 50;
/// The part of all looks that does not count: an agent warms up; and memory of connections that are open comes to lie in
/// between that of others, until each of them has been replaced ten times.
const WARM_UP: f64 = 0.2;
const MIXING: f64 = 2.0 / 3.0;
const AT_ONCE: usize = 8;
/// What memory may grow by beside the one percent, in KiB: what an allocator may want for itself in a small run.
const SLACK: f64 = 4096.0;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

type Request = http_body_util::Empty<bytes::Bytes>;

fn at((short, soak): (usize, usize)) -> usize {
    if std::env::var_os("FINIAL_SOAK").is_some() { soak } else { short }
}

fn descriptors_of(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// What a process holds over time: descriptors, and KiB of memory.
struct Looks {
    pid: u32,
    looks: Vec<(usize, u64)>,
}

impl Looks {
    fn new(pid: u32) -> Self {
        Self { pid, looks: Vec::new() }
    }

    /// Looks once it has as few descriptors as `rest`: the end of a connection is noticed a moment later.
    async fn look(&mut self, rest: usize, clock: &Clock) {
        for _ in 0..200 {
            if descriptors_of(self.pid) <= rest {
                break;
            }
            clock.sleep(Duration::from_millis(10)).await;
        }
        self.looks.push((descriptors_of(self.pid), finial_testkit::memory(self.pid).0));
    }

    /// After the first `part`, what a straight line through them rises by is at most a percent.
    fn assert_flat(&self, what: &str, part: f64) {
        let last = &self.looks[(self.looks.len() as f64 * part) as usize..];
        let (descriptors, memory) =
            (rise(last.iter().map(|look| look.0 as f64)), rise(last.iter().map(|look| look.1 as f64)));
        println!(
            "{what}: {} looks; descriptors {:.0} {:+.2}, memory {:.0} KiB {:+.0} KiB",
            self.looks.len(),
            descriptors.0,
            descriptors.1,
            memory.0,
            memory.1
        );
        assert!(descriptors.1 <= (descriptors.0 / 100.0).max(1.0), "{what}: {:?}", self.looks);
        assert!(memory.1 <= (memory.0 / 100.0).max(SLACK), "{what}: {:?}", self.looks);
    }
}

/// The mean, and by how much the line of least squares rises from the first to the last.
fn rise(values: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, values.clone().sum::<f64>() / count);
    let (mut along, mut square) = (0.0, 0.0);
    for (at, value) in values.enumerate() {
        let off = at as f64 - middle;
        along += off * (value - mean);
        square += off * off;
    }
    (mean, along / square * (count - 1.0))
}

/// Comes, and goes: one of many after it has got an SVID.
async fn cycle(number: usize, socket: &Path) {
    if number.is_multiple_of(FETCHES) {
        let channel = finial_receive::connect(&Endpoint::Unix(socket.to_owned()));
        let mut stream = WorkloadClient::new(channel).x509_svids().await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        return;
    }
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    assert!(stream.read(&mut [0; 64]).await.unwrap() > 0, "the agent answers with its settings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let (clock, pair) = (Clock::system(), Pair::new());
    let (_server, agent) = tokio::task::block_in_place(|| (pair.server(), pair.join()));
    let socket = pair.path("agent.sock");
    let cycles = at(CYCLES);
    let mut looks = Looks::new(agent.id());
    let rest = descriptors_of(agent.id()) + 2;
    let started = clock.monotonic();
    for look in 0..LOOKS {
        let numbers = look * cycles / LOOKS..(look + 1) * cycles / LOOKS;
        let all = stream::iter(numbers).map(|number| cycle(number, Path::new(&socket)));
        all.buffer_unordered(AT_ONCE).collect::<()>().await;
        looks.look(rest, &clock).await;
    }
    println!("{cycles} cycles in {:.1?}", clock.monotonic() - started);
    looks.assert_flat("an agent's cycles", WARM_UP);

    let mut open = Vec::new();
    for _ in 0..STREAMS.0 {
        let channel = finial_receive::connect(&Endpoint::Unix(socket.clone().into()));
        let mut stream = WorkloadClient::new(channel).x509_svids().await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        open.push(stream);
    }
    let held = descriptors_of(agent.id());
    assert!(
        held <= rest + STREAMS.0 * STREAMS.1,
        "{held} descriptors with {} streams, {rest} without",
        STREAMS.0
    );
}

/// Somebody who opens connections to a server, shows no certificate, and asks something, since the silent are cut off.
struct Stranger {
    connector: Connector,
    port: u16,
    tasks: Tasks,
    _writer: SourceWriter,
}

impl Stranger {
    async fn of(pair: &Pair, clock: &Clock) -> Self {
        let channel = finial_receive::connect(&Endpoint::Unix(pair.path("server.sock").into()));
        let bundle = BundleClient::new(channel).bundle().await.unwrap();
        let (writer, source) = Source::channel(clock);
        writer.publish_anonymous(BundleSet::from_iter([std::sync::Arc::new(bundle)]));
        let server = TrustDomain::parse("example.org").unwrap().server_id();
        let connector = Connector::new(&source, Policy::ids([server])).with_alpn(["h2"]);
        Self { connector, port: pair.port(), tasks: Tasks::new(clock.clone()), _writer: writer }
    }

    /// One more, which stays open for as long as this is held.
    async fn open(&self) -> SendRequest<Request> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let secured = self.connector.connect(stream, "localhost".try_into().unwrap()).await.unwrap();
        let opened = http2::handshake(TokioExecutor::new(), TokioIo::new(secured.stream)).await;
        let (mut sender, connection) = opened.unwrap();
        self.tasks.spawn_session("connection", async {
            // Its end is this side's wish.
            let _ = connection.await;
        });
        let question = hyper::Request::post("https://localhost/nothing").body(Request::new()).unwrap();
        sender.send_request(question).await.unwrap();
        sender
    }

    async fn open_many(&self, count: usize) -> Vec<SendRequest<Request>> {
        stream::iter(0..count).map(|_| self.open()).buffer_unordered(4 * AT_ONCE).collect().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_stay_cost_no_more_while_others_come_and_go() {
    descriptors::raise_limit().unwrap();
    let (clock, pair) = (Clock::system(), Pair::new());
    let server = tokio::task::block_in_place(|| pair.server());
    let stranger = Stranger::of(&pair, &clock).await;
    let (count, before) = (at(CONNECTIONS), descriptors_of(server.id()));
    let memory = finial_testkit::memory(server.id()).0;
    let mut open = stranger.open_many(count).await;
    let held = descriptors_of(server.id());
    // Before, there may have been a question of whether it is well.
    assert!(held + 5 >= before + count, "{held} descriptors, {before} before");
    let each = (finial_testkit::memory(server.id()).0 - memory) as f64 / count as f64;
    let mut looks = Looks::new(server.id());
    for _ in 0..at(ROUNDS) {
        open.drain(..count / 10);
        looks.look(held - count / 10, &clock).await;
        let _ = looks.looks.pop();
        open.extend(stranger.open_many(count / 10).await);
        looks.look(held, &clock).await;
    }
    println!("{count} connections: {each:.1} KiB each");
    looks.assert_flat("a server's connections", MIXING);
    drop(open);
    let mut looks = Looks::new(server.id());
    looks.look(before, &clock).await;
    assert!(looks.looks[0].0 <= before + 2, "{before} descriptors before, {:?} after", looks.looks);
    // And it still has an ear for others.
    tokio::task::block_in_place(|| pair.cli(&["entry", "count"]).expect_success());
    stranger.tasks.stop(Duration::from_secs(5)).await;
}
