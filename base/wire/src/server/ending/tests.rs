//! How a connection ends, and what keeps it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot::{self, Sender};

use super::{Ending, FRAME_HEADER, HEADERS, PREFACE};

struct Ends {
    far: DuplexStream,
    end: Sender<()>,
    patience: Sender<()>,
}

fn connection() -> (Ending<DuplexStream>, Ends) {
    let (near, far) = duplex(1024);
    let ((end, ended), (patience, lost)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
    let near = Ending::new(near, async { drop(ended.await) }, async { drop(lost.await) });
    (near, Ends { far, end, patience })
}

fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER];
    frame[2] = u8::try_from(content.len()).unwrap();
    frame[3] = kind;
    [&frame, content].concat()
}

/// The preface, the settings and something like them, in which no call begins.
fn opening() -> Vec<u8> {
    [vec![HEADERS; PREFACE], frame(4, &[HEADERS; 12]), frame(4, &[]), frame(8, &[HEADERS; 4])].concat()
}

async fn read(connection: &mut Ending<DuplexStream>) -> usize {
    connection.read(&mut [0; 1024]).await.unwrap()
}

#[tokio::test]
async fn bytes_pass_while_it_lasts() {
    let (mut near, mut ends) = connection();
    ends.far.write_all(b"question").await.unwrap();
    assert_eq!(read(&mut near).await, 8);
    near.write_all(b"answer").await.unwrap();
    let mut heard = [0; 6];
    ends.far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"answer");
}

#[tokio::test]
async fn waiting_reader_sees_the_end_and_nothing_more_goes_out() {
    let (mut near, ends) = connection();
    let (heard, ()) = tokio::join!(read(&mut near), async { ends.end.send(()).unwrap() });
    assert_eq!(heard, 0);
    assert_eq!(near.write(b"answer").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn client_that_only_opens_loses_the_patience_of_the_other_side() {
    let (mut near, mut ends) = connection();
    for byte in opening() {
        ends.far.write_all(&[byte]).await.unwrap();
        assert_eq!(read(&mut near).await, 1);
    }
    let (heard, ()) = tokio::join!(read(&mut near), async { ends.patience.send(()).unwrap() });
    assert_eq!(heard, 0);
}

#[tokio::test]
async fn a_call_in_whatever_pieces_keeps_the_connection() {
    let begun = [opening(), frame(HEADERS, &[])].concat();
    for pieces in [1, 7, begun.len()] {
        let (mut near, mut ends) = connection();
        for piece in begun.chunks(pieces) {
            ends.far.write_all(piece).await.unwrap();
            assert_eq!(read(&mut near).await, piece.len());
        }
        // Nobody waits for this any more.
        assert!(ends.patience.is_closed());
        ends.far.write_all(b"more").await.unwrap();
        assert_eq!(read(&mut near).await, 4);
        let (heard, ()) = tokio::join!(read(&mut near), async { ends.end.send(()).unwrap() });
        assert_eq!(heard, 0);
    }
}

#[tokio::test]
async fn what_the_end_owns_is_dropped_with_the_connection() {
    let (owned, dropped) = oneshot::channel::<()>();
    let (near, _far) = duplex(1);
    let end = async move {
        let _owned = owned;
        std::future::pending::<()>().await;
    };
    let mut near = Ending::new(near, end, std::future::pending());
    assert!(read(&mut near).now_or_never().is_none());
    drop(near);
    assert!(dropped.await.is_err());
}
