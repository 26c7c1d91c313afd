//! Both clocks: what wakes whom, and when.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use super::{Clock, Elapsed};

const START: SystemTime = SystemTime::UNIX_EPOCH;
const SECOND: Duration = Duration::from_secs(1);

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn manual_clock_stands_still_until_stepped() {
    let (clock, hand) = Clock::manual(START);
    assert_eq!((clock.now(), clock.monotonic()), (START, Duration::ZERO));
    hand.step(SECOND);
    assert_eq!((clock.now(), clock.monotonic()), (START + SECOND, SECOND));
}

#[test]
fn sleeper_wakes_at_its_instant_and_not_before() {
    let (clock, hand) = Clock::manual(START);
    let mut sleep = pin!(clock.sleep(SECOND));
    assert!(poll(sleep.as_mut()).is_pending());
    hand.step(SECOND - Duration::from_nanos(1));
    assert!(poll(sleep.as_mut()).is_pending());
    hand.step(Duration::from_nanos(1));
    assert!(poll(sleep.as_mut()).is_ready());
}

#[test]
fn what_is_already_due_does_not_wait() {
    let (clock, _hand) = Clock::manual(START);
    assert!(poll(pin!(clock.sleep(Duration::ZERO))).is_ready());
    assert!(poll(pin!(clock.sleep_until(START))).is_ready());
}

#[test]
fn wall_clock_jump_moves_sleep_until_but_not_sleep() {
    let (clock, hand) = Clock::manual(START + 10 * SECOND);
    let mut until = pin!(clock.sleep_until(START + 20 * SECOND));
    let mut span = pin!(clock.sleep(10 * SECOND));
    assert!(poll(until.as_mut()).is_pending() && poll(span.as_mut()).is_pending());
    hand.set(START);
    hand.step(9 * SECOND);
    assert!(poll(until.as_mut()).is_pending() && poll(span.as_mut()).is_pending());
    hand.step(SECOND);
    assert!(poll(until.as_mut()).is_pending(), "the jump back lengthened the wait");
    assert!(poll(span.as_mut()).is_ready(), "the jump did not touch the span");
    hand.set(START + 20 * SECOND);
    assert!(poll(until.as_mut()).is_ready(), "the jump forward ended the wait");
    assert_eq!(clock.monotonic(), 10 * SECOND);
}

#[tokio::test]
async fn one_step_wakes_in_the_order_of_the_instants() {
    let (clock, hand) = Clock::manual(START);
    let order = Arc::new(Mutex::new(Vec::new()));
    let sleeper = |name: u32| {
        let (clock, order) = (clock.clone(), Arc::clone(&order));
        async move {
            clock.sleep(name * SECOND).await;
            order.lock().unwrap().push(name);
        }
    };
    let set = tokio_util::task::TaskTracker::new();
    for name in [3, 1, 2] {
        set.spawn(sleeper(name));
    }
    set.close();
    hand.sleepers(3).await;
    hand.step(3 * SECOND);
    set.wait().await;
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn next_wake_is_the_earliest_and_advancing_stops_there() {
    let (clock, hand) = Clock::manual(START);
    assert_eq!(hand.next_wake(), None);
    assert_eq!(hand.advance_to_next_wake(), None);
    let mut late = pin!(clock.sleep(5 * SECOND));
    let mut early = pin!(clock.sleep_until(START + 2 * SECOND));
    assert!(poll(late.as_mut()).is_pending() && poll(early.as_mut()).is_pending());
    assert_eq!(hand.next_wake(), Some(START + 2 * SECOND));
    assert_eq!(hand.advance_to_next_wake(), Some(START + 2 * SECOND));
    assert!(poll(early.as_mut()).is_ready() && poll(late.as_mut()).is_pending());
    assert_eq!(hand.advance_to_next_wake(), Some(START + 5 * SECOND));
    assert!(poll(late.as_mut()).is_ready());
}

#[test]
fn dropped_sleeper_no_longer_counts() {
    let (clock, hand) = Clock::manual(START);
    {
        let mut sleep = pin!(clock.sleep(SECOND));
        assert!(poll(sleep.as_mut()).is_pending());
        assert!(poll(pin!(hand.sleepers(1))).is_ready());
    }
    assert!(poll(pin!(hand.sleepers(1))).is_pending());
    assert_eq!(hand.next_wake(), None);
}

#[test]
fn woken_sleeper_stops_counting_before_the_step_returns() {
    let (clock, hand) = Clock::manual(START);
    let mut sleep = pin!(clock.sleep(SECOND));
    assert!(poll(sleep.as_mut()).is_pending());
    hand.step(SECOND);
    assert!(poll(pin!(hand.sleepers(1))).is_pending());
}

#[test]
fn timeout_gives_the_answer_or_says_how_long_it_waited() {
    let (clock, hand) = Clock::manual(START);
    assert_eq!(poll(pin!(clock.timeout(SECOND, async { 7 }))), Poll::Ready(Ok(7)));
    let mut never = pin!(clock.timeout(90 * SECOND, std::future::pending::<()>()));
    assert!(poll(never.as_mut()).is_pending());
    hand.step(90 * SECOND);
    assert_eq!(poll(never), Poll::Ready(Err(Elapsed(90 * SECOND))));
    assert_eq!(Elapsed(90 * SECOND).to_string(), "no answer within 1m30s");
}

#[test]
fn answer_that_comes_with_the_limit_still_counts() {
    let (clock, _hand) = Clock::manual(START);
    assert_eq!(poll(pin!(clock.timeout(Duration::ZERO, async { 7 }))), Poll::Ready(Ok(7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_hourly_work_passes_while_a_socket_is_pending() {
    let (clock, hand) = Clock::manual(START);
    let (mut near, far) = tokio::net::UnixStream::pair().unwrap();
    let rotations = Arc::new(Mutex::new(0));
    let set = tokio_util::task::TaskTracker::new();
    set.spawn({
        let (clock, rotations) = (clock.clone(), Arc::clone(&rotations));
        async move {
            loop {
                clock.sleep(3600 * SECOND).await;
                *rotations.lock().unwrap() += 1;
            }
        }
    });
    let reading = set.spawn({
        let clock = clock.clone();
        async move { clock.timeout(366 * 86400 * SECOND, tokio::io::AsyncReadExt::read_u8(&mut near)).await }
    });
    for _ in 0..365 * 24 {
        hand.sleepers(2).await;
        hand.advance_to_next_wake().unwrap();
    }
    hand.sleepers(2).await;
    assert_eq!(*rotations.lock().unwrap(), 365 * 24);
    assert_eq!(clock.now(), START + 365 * 86400 * SECOND);
    drop(far);
    assert!(reading.await.unwrap().expect("not timed out").is_err(), "the real socket was still being read");
}

#[tokio::test]
async fn system_clock_returns_at_once_for_what_is_past() {
    let clock = Clock::system();
    assert!(clock.now() > START);
    clock.sleep_until(START).await;
    clock.sleep(Duration::ZERO).await;
    let before = clock.monotonic();
    clock.sleep(Duration::from_millis(1)).await;
    assert!(clock.monotonic() >= before + Duration::from_millis(1));
}
