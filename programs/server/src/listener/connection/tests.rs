//! How a connection ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;
use std::sync::Arc;

use finial_attest::Caller;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Semaphore, oneshot};

use super::{Connection, Origin};

fn connection() -> (Connection<DuplexStream>, DuplexStream, oneshot::Sender<()>, Arc<Semaphore>) {
    let (near, far) = duplex(64);
    let (end, ended) = oneshot::channel::<()>();
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).try_acquire_owned().unwrap();
    let origin = Origin::new(Caller::anonymous(), None);
    (Connection::new(near, origin, place, async { drop(ended.await) }), far, end, places)
}

#[tokio::test]
async fn bytes_pass_while_it_lasts() {
    let (mut near, mut far, _end, _) = connection();
    far.write_all(b"question").await.unwrap();
    let mut heard = [0; 8];
    near.read_exact(&mut heard).await.unwrap();
    near.write_all(b"answer").await.unwrap();
    let mut heard = [0; 6];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"answer");
}

#[tokio::test]
async fn waiting_reader_sees_the_end_and_nothing_more_goes_out() {
    let (mut near, _far, end, _) = connection();
    let (read, ()) = tokio::join!(
        async {
            let mut heard = [0; 8];
            near.read(&mut heard).await
        },
        async { end.send(()).unwrap() },
    );
    assert_eq!(read.unwrap(), 0);
    assert_eq!(near.write(b"answer").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn closed_connection_gives_its_place_back() {
    let (near, _far, _end, places) = connection();
    assert_eq!(places.available_permits(), 0);
    drop(near);
    assert_eq!(places.available_permits(), 1);
}
