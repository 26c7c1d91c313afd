//! Reading and writing while trust stands, and when it goes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Guarded;
use crate::Fallen;
use crate::fixtures::{Pair, shake};

#[tokio::test]
async fn bytes_pass_while_the_trust_stands() {
    let pair = Pair::new();
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    let (accepted, connected) = (accepted.unwrap(), connected.unwrap());
    let mut near = Guarded::new(connected.stream, connected.standing);
    let mut far = Guarded::new(accepted.stream, accepted.standing);
    far.write_all(b"hello").await.unwrap();
    far.shutdown().await.unwrap();
    let mut text = String::new();
    near.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn a_waiting_read_and_each_later_write_fail_when_the_trust_goes() {
    let pair = Pair::new();
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    let (_far, connected) = (accepted.unwrap(), connected.unwrap());
    let mut near = Guarded::new(connected.stream, connected.standing);
    let withdraw = async { pair.client_writer.withdraw("the entry was deleted") };
    let error = tokio::join!(near.read_u8(), withdraw).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    assert!(matches!(error.get_ref().unwrap().downcast_ref(), Some(Fallen::Own(_))), "{error:?}");
    assert_eq!(near.write_u8(0).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
}
