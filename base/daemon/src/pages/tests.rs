//! Answers over real sockets, and callers who take their time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::SystemTime;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::ClockHand;

struct Served {
    address: SocketAddr,
    hand: ClockHand,
    _tasks: Tasks,
}

async fn served(behind: Option<Arc<dyn Front>>) -> Served {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let tasks = Tasks::new(clock.clone());
    let mut pages = Pages::bind(("localhost", 0)).await.unwrap();
    if let Some(front) = behind {
        pages = pages.behind(front);
    }
    let address = pages.address().unwrap();
    let answer = |path: &str| match path {
        "/live" => Page::ok(Page::JSON, "{}".to_owned()),
        _ => Page::not_found(),
    };
    pages.serve("health", answer, &clock, &tasks);
    Served { address, hand, _tasks: tasks }
}

impl Served {
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn the_path_decides_and_the_query_does_not() {
    let served = served(None).await;
    let answer = served.ask("GET /live?verbose").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
    assert!(served.ask("HEAD /live").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(served.ask("GET /").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn nothing_can_be_changed_here() {
    let answer = served(None).await.ask("POST /live").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
}

#[tokio::test]
async fn callers_who_take_long_are_cut_and_keep_nobody_out() {
    let served = served(None).await;
    let mut slow = Vec::new();
    for _ in 0..CALLERS {
        slow.push(TcpStream::connect(served.address).await.unwrap());
    }
    // Each has a limit that runs: all are in, and nobody is let in before their second is over.
    served.hand.sleepers(CALLERS + 1).await;
    served.hand.step(Duration::from_secs(1));
    assert!(served.ask("GET /live").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(slow[0].read(&mut [0]).await.unwrap(), 0, "the first gave way");
    served.hand.step(LIMIT);
    for stream in &mut slow[1..] {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "cut");
    }
}

#[tokio::test]
async fn head_that_never_ends_is_cut() {
    let served = served(None).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let flood = format!("GET /live HTTP/1.1\r\nx: {}", "y".repeat(1 << 20));
    // It may be cut before all is written.
    let _ = stream.write_all(flood.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

#[derive(Debug)]
struct Closed;

#[async_trait]
impl Front for Closed {
    async fn meet(&self, _: TcpStream) -> io::Result<Box<dyn Duplex>> {
        Err(io::Error::other("you may not ask"))
    }
}

#[tokio::test]
async fn whom_the_front_refuses_is_not_answered() {
    let served = served(Some(Arc::new(Closed))).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}
