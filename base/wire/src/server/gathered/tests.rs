//! What is held back, for how long, and that nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Gathered, MOST};

/// Keeps the size of each write, and takes at most so many bytes of one.
#[derive(Default)]
struct Socket {
    bytes: Vec<u8>,
    writes: Vec<usize>,
    most: Option<usize>,
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = buf.len().min(self.most.unwrap_or(usize::MAX));
        self.bytes.extend_from_slice(&buf[..taken]);
        self.writes.push(taken);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn writes_before_a_flush_leave_together_one_turn_later() {
    let mut gathered = Gathered::new(Socket::default());
    gathered.write_all(b"one").await.unwrap();
    gathered.write_all(b"two").await.unwrap();
    assert!(gathered.flush().now_or_never().is_none(), "others have their turn first");
    gathered.write_all(b"three").await.unwrap();
    gathered.flush().await.unwrap();
    assert_eq!(gathered.stream.bytes, b"onetwothree");
    assert_eq!(gathered.stream.writes, [11]);
    gathered.write_all(b"four").await.unwrap();
    assert!(gathered.flush().now_or_never().is_none(), "and so each time");
}

#[tokio::test]
async fn nothing_is_lost_to_a_socket_that_takes_little_at_a_time() {
    let mut gathered = Gathered::new(Socket { most: Some(7), ..Socket::default() });
    let sent: Vec<u8> = (0..u8::MAX).cycle().take(3 * MOST + 5).collect();
    gathered.write_all(&sent).await.unwrap();
    assert!(gathered.held.len() <= MOST, "what is held back is bounded");
    gathered.flush().await.unwrap();
    assert_eq!(gathered.stream.bytes, sent);
}

#[tokio::test]
async fn end_comes_after_what_was_held_back() {
    let (near, mut far) = tokio::io::duplex(64);
    let mut gathered = Gathered::new(near);
    gathered.write_all(b"last words").await.unwrap();
    gathered.shutdown().await.unwrap();
    let mut heard = String::new();
    far.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "last words");
}

#[tokio::test]
async fn failure_of_the_socket_is_told() {
    let (near, far) = tokio::io::duplex(64);
    drop(far);
    let mut gathered = Gathered::new(near);
    gathered.write_all(b"to nobody").await.unwrap();
    assert_eq!(gathered.flush().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
