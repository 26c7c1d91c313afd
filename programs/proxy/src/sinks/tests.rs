//! Sinks that take metrics, and sinks that hang, refuse and reset.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Tasks;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Post, SinkError, Sinks, start};
use crate::Address;
use crate::fixtures::{World, listener};
use crate::identities::Identities;
use crate::metrics::{Exporter, Metrics};
use crate::outgoing::{HttpUrl, Site};

const SECOND: Duration = Duration::from_secs(1);

struct Running {
    world: World,
    tasks: Tasks,
    exporter: Exporter,
    metrics: Arc<Metrics>,
}

impl Running {
    fn new() -> Self {
        let world = World::new();
        let tasks = Tasks::new(world.clock.clone());
        let metrics = Arc::new(Metrics::new("ghostunnel".to_owned(), &world.clock));
        let exporter = Exporter::new(Arc::clone(&metrics), Identities::new(&world.clock, &tasks));
        Self { world, tasks, exporter, metrics }
    }

    fn graphite(address: SocketAddr) -> Self {
        let running = Self::new();
        let graphite = Some(Address::parse(&address.to_string()).unwrap());
        start(Sinks { graphite, post: None }, &running.exporter, &running.tasks);
        running
    }

    /// Posts every half a minute.
    fn post(address: SocketAddr) -> Self {
        let running = Self::new();
        let url = HttpUrl::parse(&format!("http://{address}/metrics")).unwrap();
        let post = Some((url, Duration::from_secs(30)));
        start(Sinks { graphite: None, post }, &running.exporter, &running.tasks);
        running
    }

    /// Lets the sink wait out one of its pauses.
    async fn step(&self, span: Duration) {
        self.world.hand.sleepers(1).await;
        self.world.hand.step(span);
    }

    /// Steps, second after second, until the sink comes.
    async fn next(&self, listener: &TcpListener) -> TcpStream {
        loop {
            self.world.hand.sleepers(1).await;
            tokio::select! {
                biased;
                accepted = listener.accept() => return accepted.unwrap().0,
                () = tokio::task::yield_now() => self.world.hand.step(SECOND),
            }
        }
    }
}

/// The lines of one push.
async fn push(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "the sink was left");
        let last = line.starts_with("ghostunnel.conn.lifetime.mean-rate ");
        lines.push(line);
        if last {
            return lines;
        }
    }
}

#[tokio::test]
async fn graphite_is_told_each_second_over_one_connection() {
    let (graphite, address) = listener().await;
    let running = Running::graphite(address);
    let mut stream = BufReader::new(running.next(&graphite).await);
    let first = push(&mut stream).await;
    assert!(first.contains(&"ghostunnel.accept.total.count 0 1800000001\n".to_owned()), "{first:?}");
    drop(running.metrics.accept());
    running.step(SECOND).await;
    let second = push(&mut stream).await;
    assert!(second.contains(&"ghostunnel.accept.total.count 1 1800000002\n".to_owned()), "{second:?}");
}

#[tokio::test]
async fn graphite_that_closes_resets_or_goes_away_is_reached_again() {
    let (graphite, address) = listener().await;
    let running = Running::graphite(address);
    let mut closed = BufReader::new(running.next(&graphite).await);
    push(&mut closed).await;
    drop(closed);
    let reset = running.next(&graphite).await;
    reset.set_zero_linger().unwrap();
    drop(reset);
    drop(running.next(&graphite).await);
    drop(graphite);
    for _ in 0..5 {
        running.step(SECOND).await;
    }
    let again = TcpListener::bind(address).await.unwrap();
    push(&mut BufReader::new(running.next(&again).await)).await;
}

#[tokio::test]
async fn graphite_that_never_reads_is_left_after_a_while_and_reached_again() {
    let (graphite, address) = listener().await;
    let running = Running::graphite(address);
    let _hangs = running.next(&graphite).await;
    // The kernel takes some megabytes, then nothing, and then the limit runs out.
    push(&mut BufReader::new(running.next(&graphite).await)).await;
}

/// One post: its head and its body.
async fn posted(stream: &mut TcpStream) -> (String, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn url_is_told_at_each_interval_whatever_came_of_the_one_before() {
    let (sink, address) = listener().await;
    let running = Running::post(address);
    let mut before = 1_800_000_000;
    for answer in ["200 OK", "500 Oh No", "", "204 No Content"] {
        let mut stream = running.next(&sink).await;
        let (head, body) = posted(&mut stream).await;
        assert!(head.starts_with("POST /metrics HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        let total = body.as_array().unwrap().iter().find(|one| one["metric"] == "ghostunnel.accept.total");
        let at = total.unwrap()["timestamp"].as_u64().unwrap();
        assert!(at >= before + 30, "{before} {at}");
        before = at;
        if answer.is_empty() {
            stream.set_zero_linger().unwrap();
        } else {
            stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn url_that_never_answers_is_left_and_told_again() {
    let (sink, address) = listener().await;
    let running = Running::post(address);
    running.step(Duration::from_secs(30)).await;
    let (mut hangs, _) = sink.accept().await.unwrap();
    posted(&mut hangs).await;
    running.step(super::LIMIT).await;
    assert_eq!(hangs.read(&mut [0]).await.unwrap(), 0);
    running.step(Duration::from_secs(30)).await;
    posted(&mut sink.accept().await.unwrap().0).await;
}

#[tokio::test]
async fn sinks_end_with_the_tasks_whatever_they_wait_for() {
    let (sink, address) = listener().await;
    let running = Running::post(address);
    running.step(Duration::from_secs(30)).await;
    let _hangs = sink.accept().await.unwrap();
    assert!(running.tasks.stop(SECOND).await);
}

#[tokio::test]
async fn what_a_sink_answers_counts() {
    let (sink, address) = listener().await;
    let running = Running::new();
    let site = Site::new(HttpUrl::parse(&format!("http://{address}/")).unwrap(), &running.world.clock);
    let post = Post::new(site, SECOND, running.exporter.clone());
    let refuse = async {
        let (mut stream, _) = sink.accept().await.unwrap();
        posted(&mut stream).await;
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
    };
    let (brought, ()) = tokio::join!(post.send(), refuse);
    assert!(matches!(brought, Err(SinkError::Status(403))), "{brought:?}");
    drop(sink);
    assert!(matches!(post.send().await, Err(SinkError::Dial(_))));
}
