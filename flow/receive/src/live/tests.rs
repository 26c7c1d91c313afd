//! Waiting, current, withdrawn.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Live, NotLive};

#[test]
fn nothing_is_served_before_the_first_value_and_after_a_withdrawal() {
    let (writer, live) = Live::channel();
    assert_eq!(live.current(), Err(NotLive::Waiting));
    writer.publish(1);
    assert_eq!(*live.current().unwrap(), 1);
    writer.withdraw("the entry was deleted");
    assert_eq!(live.current(), Err(NotLive::Withdrawn("the entry was deleted".into())));
    writer.publish(2);
    assert_eq!(*live.current().unwrap(), 2);
}

#[tokio::test]
async fn ready_waits_through_a_withdrawal_for_a_value() {
    let (writer, live) = Live::channel();
    writer.withdraw("no identity issued");
    let ready = live.ready();
    tokio::pin!(ready);
    assert!(futures_util::poll!(&mut ready).is_pending());
    writer.publish(7);
    assert_eq!(*ready.await.unwrap(), 7);
}

#[tokio::test]
async fn ready_gives_the_reason_that_the_writer_left() {
    let (writer, live) = Live::<u8>::channel();
    writer.withdraw("the Workload API does not know this call");
    drop(writer);
    let reason = live.ready().await.unwrap_err();
    assert_eq!(reason, NotLive::Withdrawn("the Workload API does not know this call".into()));

    let (writer, live) = Live::<u8>::channel();
    drop(writer);
    assert_eq!(live.ready().await.unwrap_err(), NotLive::Ended);
}

#[tokio::test]
async fn each_clone_notices_each_change_for_itself() {
    let (writer, mut one) = Live::channel();
    let mut two = one.clone();
    writer.publish(1);
    one.changed().await.unwrap();
    two.changed().await.unwrap();
    assert!(futures_util::poll!(std::pin::pin!(one.changed())).is_pending());
    drop(writer);
    assert_eq!(one.changed().await, Err(NotLive::Ended));
}

#[tokio::test]
async fn the_last_value_outlives_its_writer() {
    let (writer, live) = Live::channel();
    writer.publish(1);
    drop(writer);
    assert_eq!(*live.ready().await.unwrap(), 1);
}

#[tokio::test]
async fn a_writer_learns_that_its_readers_have_gone() {
    let (writer, live) = Live::<u8>::channel();
    let abandoned = writer.abandoned();
    tokio::pin!(abandoned);
    assert!(futures_util::poll!(&mut abandoned).is_pending());
    drop(live);
    abandoned.await;
}
