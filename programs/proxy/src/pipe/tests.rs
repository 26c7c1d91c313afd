//! Directions that end while the other goes on, and how log lines write a number of bytes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::pending;
use std::time::Duration;

use finial_daemon::Clock;
use finial_receive::testing::start;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Cut, Pool, Size, Traffic, relay};

const LIMIT: Duration = Duration::from_secs(60);

/// An end that has said this and has left: it takes no more.
async fn left(said: &[u8]) -> DuplexStream {
    let (near, mut far) = duplex(said.len());
    far.write_all(said).await.unwrap();
    near
}

#[tokio::test]
async fn what_an_end_has_said_before_it_left_arrives_though_it_is_spoken_to() {
    let (clock, _hand) = Clock::manual(start());
    let (traffic, pool) = (Traffic::default(), Pool::new());
    let said = vec![b'x'; 100_000];
    let mut caller = left(&said).await;
    let (mut target, mut far) = duplex(16);
    let listener = async {
        let mut heard = [0; 16];
        far.read_exact(&mut heard).await.unwrap();
        far.write_all(&[b'y'; 64]).await.unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        far.write_all(&[b'y'; 64]).await.unwrap();
        far.shutdown().await.unwrap();
        heard.len() + rest.len()
    };
    let (ended, heard) =
        tokio::join!(relay(&mut caller, &mut target, pending(), &traffic, &pool, (&clock, LIMIT)), listener);
    ended.unwrap();
    assert_eq!(heard, said.len());
    assert_eq!((traffic.forwarded(), traffic.returned()), (100_000, 0));
}

#[tokio::test]
async fn who_speaks_on_to_an_end_that_has_left_is_cut_after_the_close_timeout() {
    let (clock, hand) = Clock::manual(start());
    let (traffic, pool) = (Traffic::default(), Pool::new());
    let mut caller = left(b"bye").await;
    let (mut target, mut far) = duplex(16);
    let speaker = async {
        while far.write_all(&[b'y'; 16]).await.is_ok() {
            hand.step(Duration::from_secs(1));
        }
    };
    let relay = async {
        let ended = relay(&mut caller, &mut target, pending(), &traffic, &pool, (&clock, LIMIT)).await;
        drop(target);
        ended
    };
    let (ended, ()) = tokio::join!(relay, speaker);
    assert!(matches!(ended, Err(Cut::HalfOpen(LIMIT))), "{ended:?}");
}

#[test]
fn sizes_are_written_for_people() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1229, "1.2 KiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 50, "5120.0 TiB"),
    ] {
        assert_eq!(Size(bytes).to_string(), text);
    }
}
