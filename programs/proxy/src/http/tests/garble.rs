//! Requests put together by chance from what attackers use: whatever reaches the backend tells who asks, and once.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{Stage, end};
use crate::fixtures::CLIENT;

const VISITS: usize = 300;

const FIRST_LINES: [&str; 10] = [
    "GET / HTTP/1.1",
    "GET / HTTP/1.1",
    "POST / HTTP/1.1",
    "POST /a HTTP/1.1",
    "PUT http://h/ HTTP/1.1",
    "GET / HTTP/1.0",
    "POST / HTTP/1.0",
    "OPTIONS * HTTP/1.1",
    "CONNECT h:80 HTTP/1.1",
    "GET /  HTTP/1.1",
];
const FIELDS: [&str; 27] = [
    "Host: h",
    "Host: h",
    "Host: h",
    "Host: x",
    "X-Spiffe-Id: forged",
    "x_spiffe_id: forged",
    "X-Spiffe-Id : forged",
    " X-Spiffe-Id: forged",
    "Client-Cert: forged",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 40",
    "Content-Length: 0\nX-Spiffe-Id: forged",
    "Content-Length: 5\rX-Spiffe-Id: forged",
    "Content_Length: 9",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked\r\n X-Spiffe-Id: forged",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: x, chunked",
    "Connection: x-spiffe-id",
    "Connection: upgrade\r\nUpgrade: websocket",
    "Connection: upgrade\r\nUpgrade: h2c",
    "Connection: close",
    "Expect: 100-continue",
    "TE: trailers",
    "Trailer: x-spiffe-id",
];
const BODIES: [&str; 8] = [
    "",
    "",
    "hello",
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX-Spiffe-Id: forged\r\n\r\n",
    "5;x\r\nhello\r\n0\r\n\r\n",
    "2c\r\nGET / HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n",
];

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn requests(&mut self) -> String {
        let mut raw = String::new();
        for _ in 0..=self.below(3) {
            raw += self.one(&FIRST_LINES);
            raw += "\r\nHost: h\r\n";
            for _ in 0..self.below(4) {
                raw += self.one(&FIELDS);
                raw += "\r\n";
            }
            raw += "\r\n";
            raw += self.one(&BODIES);
        }
        // Two hosts at each turn would leave little to look at.
        if self.below(4) > 0 { raw.replace("Host: h\r\nHost: h", "Host: h") } else { raw }
    }
}

#[tokio::test]
async fn whatever_callers_say_each_request_tells_who_asks_once() {
    let mut dice = Dice(9);
    let mut said = Vec::new();
    let (backend, ()) = Stage::new()
        .await
        .visit(async |stage, address| {
            for _ in 0..VISITS {
                let raw = dice.requests();
                let mut caller = stage.call(address, "http/1.1").await;
                let _ = caller.write_all(raw.as_bytes()).await;
                let _ = caller.shutdown().await;
                let _ = caller.read_to_end(&mut Vec::new()).await;
                said.push(raw);
            }
        })
        .await;
    let mut requests = 0;
    for heard in &backend {
        let mut rest = heard.as_str();
        while !rest.is_empty() {
            let Some((head, _)) = rest.split_once("\r\n\r\n") else { panic!("half a header: {rest}") };
            let told: Vec<_> = head.lines().filter(|line| line.contains("spiffe")).collect();
            assert_eq!(told, [format!("x-spiffe-id: {CLIENT}")], "{heard}");
            assert!(!head.contains("forged"), "{heard}");
            assert_eq!(head.lines().filter(|line| line.starts_with("client-cert: :")).count(), 1, "{heard}");
            requests += 1;
            // What breaks off is the last of its connection.
            rest = &rest[end(rest.as_bytes()).unwrap_or(rest.len())..];
        }
    }
    assert!(requests > VISITS / 10, "{requests} of {VISITS} say little");
}
