//! Places, the queue for them, and what those hear who find it full.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::SystemTime;

use finial_daemon::ClockHand;
use finial_wire::retry_after;
use futures_util::FutureExt;
use tonic::Code;

use super::*;

fn admission(size: u32, most_waiting: usize) -> (Arc<Admission>, ClockHand) {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    (Arc::new(Admission::new("SVIDs to be signed", size, most_waiting, &clock)), hand)
}

#[tokio::test]
async fn places_are_given_in_order_and_come_back() {
    let (admission, _) = admission(2, 10);
    let first = admission.enter(2).await.unwrap();
    let mut large = Box::pin(admission.enter(2));
    assert!(large.as_mut().now_or_never().is_none());
    let mut small = Box::pin(admission.enter(1));
    assert!(small.as_mut().now_or_never().is_none(), "the large one is before it");
    drop(first);
    let second = large.await.unwrap();
    assert!(small.as_mut().now_or_never().is_none());
    drop(second);
    small.await.unwrap();
    assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn full_queue_refuses_at_once_and_says_when_to_come_back() {
    let (admission, _) = admission(1, 3);
    let _turn = admission.enter(1).await.unwrap();
    let mut waiting = Box::pin(admission.enter(3));
    assert!(waiting.as_mut().now_or_never().is_none());
    let refusal = admission.enter(1).now_or_never().unwrap().unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    assert!(refusal.message().starts_with("server is busy: too many SVIDs to be signed, try again in "));
    let after = retry_after(&refusal).unwrap();
    assert!((COME_BACK / 2..=COME_BACK * 3 / 2).contains(&after), "{after:?}");
    drop(waiting);
    assert!(
        Box::pin(admission.enter(3)).now_or_never().is_none(),
        "whoever goes away leaves room in the queue"
    );
}

#[tokio::test]
async fn nobody_waits_longer_than_ten_seconds() {
    let (admission, hand) = admission(1, 10);
    let _turn = admission.enter(1).await.unwrap();
    let late = async {
        hand.sleepers(1).await;
        hand.step(MAX_WAIT);
    };
    let (refused, ()) = tokio::join!(admission.enter(1), late);
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn more_than_there_are_places_take_all_of_them() {
    let (admission, _) = admission(2, 10);
    let turn = admission.enter(500).await.unwrap();
    assert!(admission.enter(1).now_or_never().is_none());
    drop(turn);
    admission.enter(1).await.unwrap();
}
