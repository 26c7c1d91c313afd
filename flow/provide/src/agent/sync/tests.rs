//! When the next sync is due.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::{FLOOR, LEAST_GAP, LONGEST_BACKOFF, Schedule};
use crate::agent::push::Push;

const INTERVAL: Duration = Duration::from_secs(5);
const NOW: Duration = Duration::from_secs(1000);

fn open(revision: u64) -> Push {
    Push { revision: Some(revision), is_open: true }
}

/// A schedule whose first sync has just succeeded, with an open stream at revision 1.
fn synced() -> Schedule {
    let mut schedule = Schedule::new(INTERVAL);
    schedule.pushed(open(1), NOW);
    schedule.started(NOW);
    schedule.succeeded(NOW);
    schedule
}

fn is_near(instant: Duration, span: Duration) -> bool {
    let wait = instant - NOW;
    wait >= span.mul_f64(0.89) && wait <= span.mul_f64(1.11)
}

#[test]
fn first_sync_is_due_at_once() {
    assert_eq!(Schedule::new(INTERVAL).due(), Duration::ZERO);
}

#[test]
fn without_pushes_the_interval_counts() {
    let mut schedule = Schedule::new(INTERVAL);
    schedule.started(NOW);
    schedule.succeeded(NOW);
    assert!(is_near(schedule.due(), INTERVAL));
}

#[test]
fn with_pushes_only_the_floor_counts() {
    assert!(is_near(synced().due(), FLOOR));
}

#[test]
fn news_are_due_after_the_least_gap() {
    let mut schedule = synced();
    schedule.pushed(open(2), NOW);
    assert_eq!(schedule.due(), NOW + LEAST_GAP);
}

#[test]
fn news_taken_are_news_no_more_even_when_the_sync_failed() {
    let mut schedule = synced();
    schedule.pushed(open(2), NOW);
    schedule.started(NOW);
    schedule.failed(NOW);
    assert!(is_near(schedule.due(), INTERVAL));
}

#[test]
fn failures_wait_longer_each_time() {
    let mut schedule = synced();
    for expected in [5, 10, 20, 40, 80, 160, 320, 480, 480] {
        schedule.started(NOW);
        schedule.failed(NOW);
        assert!(is_near(schedule.due(), Duration::from_secs(expected)), "{expected} s");
    }
    assert_eq!(LONGEST_BACKOFF, Duration::from_secs(480));
}

#[test]
fn stream_that_breaks_brings_the_interval_back() {
    let mut schedule = synced();
    schedule.pushed(Push { revision: Some(1), is_open: false }, NOW);
    assert!(is_near(schedule.due(), INTERVAL));
}

#[test]
fn stream_that_opens_after_failures_is_reason_to_sync() {
    let mut schedule = synced();
    schedule.pushed(Push { revision: Some(1), is_open: false }, NOW);
    (0..9).for_each(|_| schedule.failed(NOW));
    schedule.pushed(open(1), NOW);
    assert_eq!(schedule.due(), NOW);
}
