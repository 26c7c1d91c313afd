//! What a direction does with what it reads.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, duplex, empty};

use super::{Pool, Pump};

/// Says something, and then breaks.
struct Breaking(&'static [u8]);

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match std::mem::take(&mut self.0) {
            [] => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            bytes => {
                buffer.put_slice(bytes);
                Poll::Ready(Ok(()))
            }
        }
    }
}

#[tokio::test]
async fn what_came_before_a_failure_is_written_before_it_is_told() {
    let (pool, moved, mut written) = (Pool::new(), AtomicU64::new(0), Vec::new());
    let mut pump = Pump::new(&pool, &moved);
    let mut from = Breaking(b"last words");
    let failed = poll_fn(|context| pump.poll(&mut from, &mut written, context)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((written.as_slice(), moved.into_inner()), (&b"last words"[..], 10));
}

#[tokio::test]
async fn more_than_a_buffer_arrives_whole_through_a_narrow_writer() {
    let (pool, moved) = (Pool::new(), AtomicU64::new(0));
    let sent: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let (mut to, mut far) = duplex(777);
    let (mut from, mut pump, mut came) = (sent.as_slice(), Pump::new(&pool, &moved), Vec::new());
    let pumping = poll_fn(|context| pump.poll(&mut from, &mut to, context));
    let (pumped, read) = tokio::join!(pumping, far.read_to_end(&mut came));
    pumped.unwrap();
    read.unwrap();
    assert!(came == sent, "{} bytes came, which are others", came.len());
    assert_eq!(moved.into_inner(), 1_000_000);
}

#[tokio::test]
async fn end_is_passed_on_and_the_pump_is_done() {
    let (pool, moved) = (Pool::new(), AtomicU64::new(0));
    let (mut to, mut far) = duplex(16);
    let mut pump = Pump::new(&pool, &moved);
    poll_fn(|context| pump.poll(&mut empty(), &mut to, context)).await.unwrap();
    assert!(pump.is_done());
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn between_bytes_no_buffer_is_held() {
    let (pool, moved) = (Pool::new(), AtomicU64::new(0));
    let (mut near, mut from) = duplex(1024);
    let (mut pump, mut written) = (Pump::new(&pool, &moved), Vec::new());
    near.write_all(b"word").await.unwrap();
    assert!(pump.poll(&mut from, &mut written, &mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(written, b"word");
    assert!(pump.held.is_none());
}
