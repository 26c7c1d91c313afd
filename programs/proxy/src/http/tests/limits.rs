//! A caller that asks for too much, or too slowly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{Stage, say};
use crate::fixtures::beside;

#[tokio::test]
async fn too_many_fields_are_refused() {
    let many = "X-A: b\r\n".repeat(100);
    say(format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n")).await.assert_refused("431");
    let some = "X-A: b\r\n".repeat(90);
    say(format!("GET / HTTP/1.1\r\nHost: h\r\n{some}\r\n")).await.assert_told(1);
}

#[tokio::test]
async fn a_header_that_is_too_long_reaches_nobody() {
    let long = "x".repeat(70 * 1024);
    let heard = say(format!("GET / HTTP/1.1\r\nHost: h\r\nX-A: {long}\r\n\r\n")).await;
    assert!(heard.backend.is_empty());
    let heard = say(format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    assert!(heard.backend.is_empty());
    let fits = "x".repeat(60 * 1024);
    say(format!("GET / HTTP/1.1\r\nHost: h\r\nX-A: {fits}\r\n\r\n")).await.assert_told(1);
}

#[tokio::test]
async fn trailers_that_are_too_long_end_no_request() {
    let long = "x".repeat(70 * 1024);
    let heard = say(format!(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: {long}\r\n\r\n"
    ));
    assert!(!heard.await.backend.concat().ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn whoever_takes_a_minute_for_a_header_is_cut_before_the_backend_is_reached() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let (hand, clock) = (stage.world.hand.clone(), stage.world.clock.clone());
    let before = stage.world.clock.monotonic();
    beside(app, &clock, async {
        let mut caller = stage.call(address, "http/1.1").await;
        let slow = async {
            for byte in b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: ".iter().chain(std::iter::repeat(&b'x')) {
                caller.write_all(&[*byte]).await?;
                caller.flush().await?;
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                hand.step(Duration::from_secs(1));
            }
            std::io::Result::Ok(())
        };
        tokio::select! {
            ended = slow => assert!(ended.is_err()),
            _ = stage.backend.accept() => panic!("the backend was reached"),
        }
        assert!(caller.read_u8().await.is_err());
        assert!(stage.world.clock.monotonic() - before >= Duration::from_secs(60));
    })
    .await;
}
