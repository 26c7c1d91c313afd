//! Answers over real sockets, and callers who take their time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CALLERS, HealthListener, LIMIT};
use crate::config::HealthConfig;
use crate::vitals::{OutputKind, OutputVitals, Vitals};

struct Served {
    address: SocketAddr,
    output: OutputVitals,
    hand: ClockHand,
    _tasks: Tasks,
}

async fn served() -> Served {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let (vitals, tasks) = (Vitals::new(&clock), Tasks::new(clock.clone()));
    let output = vitals.output(OutputKind::X509, Path::new("svid.pem"));
    let config = HealthConfig {
        bind_address: Some(Ipv4Addr::LOCALHOST.into()),
        bind_port: 0,
        liveness_path: "/live".to_owned(),
        readiness_path: "/ready".to_owned(),
    };
    let listener = HealthListener::bind(config).await.unwrap();
    let address = listener.address().unwrap();
    listener.serve(&vitals, &clock, &tasks);
    Served { address, output, hand, _tasks: tasks }
}

impl Served {
    async fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn paths_answer_as_the_ancestors_do() {
    let served = served().await;
    let body = r#"{"health":{"file_write_statuses":{"jwt_write_status":{},"x509_write_status":"unwritten"}},"status":"Service Unavailable"}"#;
    let answer = served.ask("/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with(body), "{answer}");
    assert!(served.ask("/live").await.starts_with("HTTP/1.1 200 OK\r\n"));
    served.output.written(None);
    assert!(served.ask("/ready?verbose").await.starts_with("HTTP/1.1 200 OK\r\n"));
    served.output.failed();
    assert!(served.ask("/live").await.starts_with("HTTP/1.1 503 "));
    assert!(
        served
            .ask("/metrics")
            .await
            .contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n")
    );
    assert!(served.ask("/").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn callers_who_take_long_are_cut_and_keep_nobody_out() {
    let served = served().await;
    let mut slow = Vec::new();
    for _ in 0..CALLERS {
        slow.push(TcpStream::connect(served.address).await.unwrap());
    }
    // Each has a limit that runs: all are in, and nobody is let in before their second is over.
    served.hand.sleepers(CALLERS + 1).await;
    served.hand.step(Duration::from_secs(1));
    assert!(served.ask("/live").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(slow[0].read(&mut [0]).await.unwrap(), 0, "the first gave way");
    served.hand.step(LIMIT);
    for stream in &mut slow[1..] {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "cut");
    }
}

#[tokio::test]
async fn head_that_never_ends_is_cut() {
    let served = served().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let flood = format!("GET /live HTTP/1.1\r\nx: {}", "y".repeat(1 << 20));
    // It may be cut before all is written.
    let _ = stream.write_all(flood.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}
