//! What arrives in time and in bounds passes; the rest is refused, and nothing stays behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::{Code, Status};

use super::Arrivals;

/// A body of these pieces, after which it hangs.
fn slow(pieces: &[&[u8]]) -> Body {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    Body::new(StreamBody::new(stream::iter(pieces).chain(stream::pending::<Result<_, Status>>())))
}

fn message(content: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// The patience with the first message; there is no end of it with others.
fn first(patience: oneshot::Receiver<()>) -> impl FnMut() -> BoxFuture<'static, ()> {
    let mut patience = Some(patience);
    move || match patience.take() {
        Some(patience) => async { drop(patience.await) }.boxed(),
        None => pending().boxed(),
    }
}

/// The next piece, or the code of a refusal; `None` while there is neither.
fn next(body: &mut Body) -> Option<Result<Bytes, Code>> {
    let frame = body.frame().now_or_never()?.unwrap();
    Some(frame.map(|frame| frame.into_data().unwrap()).map_err(|status| status.code()))
}

#[test]
fn a_message_in_whatever_pieces_passes_and_is_held_no_longer() {
    let arrivals = Arrivals::new(100);
    let whole = message(b"question");
    for size in [1, 3, whole.len()] {
        let pieces: Vec<_> = whole.chunks(size).collect();
        let mut body = arrivals.follow(slow(&pieces), pending);
        for piece in pieces {
            assert_eq!(next(&mut body), Some(Ok(Bytes::copy_from_slice(piece))));
        }
        assert_eq!(arrivals.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(next(&mut body), None);
    }
}

#[test]
fn a_first_message_that_takes_too_long_is_given_up() {
    let whole = message(b"question");
    for begun in [0, 3, 5, whole.len() - 1] {
        let (told, patience) = oneshot::channel::<()>();
        let body = slow(&[&whole[..begun]]);
        let mut body = Arrivals::new(100).follow(body, first(patience));
        assert!(next(&mut body).unwrap().is_ok());
        assert_eq!(next(&mut body), None);
        told.send(()).unwrap();
        assert_eq!(next(&mut body), Some(Err(Code::DeadlineExceeded)), "after {begun} bytes");
    }
}

#[test]
fn once_the_first_message_is_there_nobody_waits_for_the_next() {
    let (told, patience) = oneshot::channel::<()>();
    let mut body = Arrivals::new(100).follow(slow(&[&message(b"")]), first(patience));
    assert!(next(&mut body).unwrap().is_ok());
    assert!(told.is_closed());
}

#[test]
fn a_later_message_that_takes_too_long_is_given_up() {
    let (question, whole) = (message(b"question"), message(b"another"));
    for begun in [1, 5, whole.len() - 1] {
        for pieces in [&[&question[..], &whole[..begun]][..], &[&[&question[..], &whole[..begun]].concat()]] {
            let waits = Arc::new(AtomicUsize::new(0));
            let begins = Arc::clone(&waits);
            // The second patience is over at once.
            let mut body = Arrivals::new(100).follow(slow(pieces), move || {
                if begins.fetch_add(1, Ordering::Relaxed) == 0 {
                    pending().boxed()
                } else {
                    ready(()).boxed()
                }
            });
            for _ in pieces {
                assert!(next(&mut body).unwrap().is_ok());
            }
            assert_eq!(next(&mut body), Some(Err(Code::DeadlineExceeded)), "after {begun} bytes");
            assert_eq!(waits.load(Ordering::Relaxed), 2);
        }
    }
}

#[test]
fn each_message_has_a_patience_of_its_own() {
    let whole = message(b"question");
    let waits = Arc::new(AtomicUsize::new(0));
    let begins = Arc::clone(&waits);
    let halves = [&whole[..4], &whole[4..], &whole[..4], &whole[4..]];
    let mut body = Arrivals::new(100).follow(slow(&halves), move || {
        begins.fetch_add(1, Ordering::Relaxed);
        pending()
    });
    for patience in [1, 1, 2, 2] {
        assert!(next(&mut body).unwrap().is_ok());
        assert_eq!(waits.load(Ordering::Relaxed), patience);
    }
}

#[test]
fn incomplete_messages_share_a_limit_and_leave_nothing_when_they_are_gone() {
    let arrivals = Arrivals::new(100);
    let long = message(&[0; 200]);
    let mut first = arrivals.follow(slow(&[&long[..60], &long[60..100], &long[100..101]]), pending);
    let mut second = arrivals.follow(slow(&[&long[..40], &long[40..41]]), pending);
    assert!(next(&mut first).unwrap().is_ok());
    assert!(next(&mut second).unwrap().is_ok());
    assert_eq!(next(&mut second), Some(Err(Code::ResourceExhausted)));
    drop(second);
    assert!(next(&mut first).unwrap().is_ok());
    assert_eq!(next(&mut first), Some(Err(Code::ResourceExhausted)));
    drop(first);
    assert_eq!(arrivals.bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn many_messages_one_after_the_other_are_no_more_than_one() {
    let arrivals = Arrivals::new(20);
    let several = message(b"question").repeat(10);
    let mut body = arrivals.follow(slow(&[&several[..several.len() - 1]]), pending);
    assert!(next(&mut body).unwrap().is_ok());
    assert_eq!(arrivals.bytes.load(Ordering::Relaxed), 12);
}
