//! HTTP that means harm, at the status server: each caller is bounded, and a good one is served meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use finial_receive::SourceWriter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::status::ask;
use crate::fixtures::{SERVER, World, app, beside, dial, listener, local};
use crate::{App, ServerConfig, StatusFlags};

struct House {
    world: World,
    _backend: TcpListener,
    _writer: SourceWriter,
    address: SocketAddr,
}

impl House {
    async fn new() -> (Self, App) {
        let world = World::new();
        let (backend, target) = listener().await;
        let (writer, source) = world.party(SERVER);
        let status = StatusFlags { address: Some(format!("http://{}", local(0))), ..StatusFlags::default() };
        let app = app(ServerConfig { status, ..world.server(target) }, source).await.unwrap();
        let address = app.status_address().unwrap();
        (Self { world, _backend: backend, _writer: writer, address }, app)
    }

    /// A good caller gets an answer at once.
    async fn serves(&self) {
        let (code, _) = ask(&mut dial(self.address).await, "GET /_metrics/prometheus").await;
        assert_eq!(code, "200");
    }
}

/// All that is said back until the connection ends, however it ends.
async fn heard(stream: &mut TcpStream) -> String {
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        heard.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

async fn turns() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn request_that_drips_is_cut_after_thirty_seconds_and_others_are_served_meanwhile() {
    let (house, app) = House::new().await;
    beside(app, &house.world.clock, async {
        let mut slow = dial(house.address).await;
        for byte in b"GET /_metrics HTTP/1.1\r\nHost: sta" {
            // Each byte is progress, and none of it buys time.
            if slow.write_u8(*byte).await.is_err() {
                break;
            }
            turns().await;
            house.serves().await;
            house.world.hand.step(Duration::from_secs(1));
        }
        assert_eq!(heard(&mut slow).await, "");
    })
    .await;
}

#[tokio::test]
async fn headers_that_are_huge_or_many_are_refused_before_they_end() {
    let (house, app) = House::new().await;
    let huge = format!("GET /_metrics HTTP/1.1\r\nHost: {}", "x".repeat(4 << 20));
    let many = format!("GET /_metrics HTTP/1.1\r\n{}", "a: b\r\n".repeat(1_500_000));
    let target = format!("GET /{} HTTP/1.1\r\nHost: status\r\n\r\n", "x".repeat(4 << 20));
    beside(app, &house.world.clock, async {
        for attack in [&huge, &many, &target] {
            let mut stream = dial(house.address).await;
            let (mut reader, mut writer) = stream.split();
            // All of it is more than the sockets hold: the write ends because the other end does.
            let sent = writer.write_all(attack.as_bytes());
            let mut said = Vec::new();
            let (sent, _) = tokio::join!(sent, reader.read_to_end(&mut said));
            let said = String::from_utf8_lossy(&said);
            assert!(sent.is_err(), "{:.40} was read to its end", attack);
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said:.40}");
            house.serves().await;
        }
    })
    .await;
}

#[tokio::test]
async fn of_requests_in_a_pipeline_the_first_is_answered_and_the_connection_ends() {
    let (house, app) = House::new().await;
    beside(app, &house.world.clock, async {
        let mut stream = dial(house.address).await;
        let requests = "GET /_metrics/prometheus HTTP/1.1\r\nHost: status\r\n\r\n".repeat(50);
        stream.write_all(requests.as_bytes()).await.unwrap();
        assert_eq!(heard(&mut stream).await.matches("HTTP/1.1 200 OK").count(), 1);
        house.serves().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_harms_nobody() {
    let (house, app) = House::new().await;
    beside(app, &house.world.clock, async {
        for attack in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /_metrics HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
            b"GET /_metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET /_metrics\r\n\r\n",
            b"\r\n\r\n\r\n\0\0\0\0",
            b"POST /_status HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
            b"POST /_status HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ] {
            let mut stream = dial(house.address).await;
            stream.write_all(attack).await.unwrap();
            stream.shutdown().await.unwrap();
            let said = heard(&mut stream).await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
            house.serves().await;
        }
    })
    .await;
}

#[tokio::test]
async fn answer_that_nobody_reads_is_given_up() {
    let (house, app) = House::new().await;
    beside(app, &house.world.clock, async {
        let mut deaf = Vec::new();
        // As many as there are places: none of them reads, and none of them ends.
        for _ in 0..crate::status::CONNECTIONS {
            let mut stream = dial(house.address).await;
            stream.write_all(b"GET /_metrics HTTP/1.1\r\nHost: status\r\n").await.unwrap();
            deaf.push(stream);
        }
        turns().await;
        house.world.hand.step(Duration::from_secs(31));
        for mut stream in deaf {
            assert_eq!(heard(&mut stream).await, "");
        }
        house.serves().await;
    })
    .await;
}

#[tokio::test]
async fn of_many_idle_callers_no_more_than_the_places_stay_when_good_ones_come() {
    let (house, app) = House::new().await;
    beside(app, &house.world.clock, async {
        let mut idle = Vec::new();
        for _ in 0..4 * crate::status::CONNECTIONS {
            idle.push(dial(house.address).await);
        }
        for _ in 0..8 {
            let time = async {
                loop {
                    turns().await;
                    house.world.hand.step(Duration::from_secs(1));
                }
            };
            tokio::select! {
                () = house.serves() => {}
                () = time => {}
            }
        }
        let open = idle.iter().filter(|stream| stream.try_read(&mut [0]).is_err_and(would_block)).count();
        assert!(open <= crate::status::CONNECTIONS + 1, "{open} are still open");
    })
    .await;
}

#[expect(clippy::needless_pass_by_value, reason = "it is what is_err_and takes")]
fn would_block(error: std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}
