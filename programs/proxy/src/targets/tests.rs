//! Which target comes first.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::{Clock, ClockHand};
use finial_receive::testing::start;

use super::{Lease, Search, Targets, Turn};
use crate::Address;
use crate::config::PlannedTarget;

const LIMIT: Duration = Duration::from_secs(10);

fn targets(ports: &[u16]) -> (Targets, Clock, ClockHand) {
    let (clock, hand) = Clock::manual(start());
    let planned = ports.iter().map(|port| {
        let address = Address::Tcp { host: "127.0.0.1".to_owned(), port: *port };
        PlannedTarget { address, name: None }
    });
    (Targets::new(planned.collect()), clock, hand)
}

fn port(lease: &Lease) -> u16 {
    match lease.target().address() {
        Address::Tcp { port, .. } => *port,
        other => panic!("{other}"),
    }
}

/// A caller that stays.
fn call(targets: &Targets, clock: &Clock) -> Lease {
    let mut search: Search<()> = targets.search(clock, LIMIT);
    let (lease, _) = search.next().unwrap();
    search.note(&lease, Ok(())).unwrap();
    lease
}

/// A caller that does not reach its first choice.
fn fail(targets: &Targets, clock: &Clock) -> u16 {
    let mut search: Search<()> = targets.search(clock, LIMIT);
    let (lease, _) = search.next().unwrap();
    assert_eq!(search.note::<()>(&lease, Err(())), None);
    port(&lease)
}

#[test]
fn the_least_busy_comes_first() {
    let (targets, clock, _hand) = targets(&[1, 2, 3]);
    let mut open = (0..9).map(|_| call(&targets, &clock)).collect::<Vec<_>>();
    for target in targets.iter() {
        assert_eq!(target.open(), 3);
    }
    open.retain(|lease| port(lease) != 2);
    let next = (0..3).map(|_| call(&targets, &clock)).collect::<Vec<_>>();
    assert!(next.iter().all(|lease| port(lease) == 2));
}

#[test]
fn equals_take_turns() {
    let (targets, clock, _hand) = targets(&[1, 2, 3]);
    let mut ports = (0..3).map(|_| port(&call(&targets, &clock))).collect::<Vec<_>>();
    ports.sort_unstable();
    assert_eq!(ports, [1, 2, 3]);
}

#[test]
fn a_target_whose_dial_failed_is_passed_over_for_a_while_that_grows() {
    let (targets, clock, hand) = targets(&[1, 2]);
    let failed = fail(&targets, &clock);
    for _ in 0..4 {
        assert_ne!(port(&call(&targets, &clock)), failed);
    }
    let bad = targets.iter().find(|target| target.failures() == 1).unwrap();
    hand.step(Duration::from_millis(1_200));
    assert!(bad.is_healthy(clock.monotonic()));
    // The other one is busy.
    let _busy = targets
        .iter()
        .filter(|target| target.failures() == 0)
        .map(|other| Lease::new(other.clone()))
        .collect::<Vec<_>>();
    assert_eq!(fail(&targets, &clock), failed);
    hand.step(Duration::from_millis(1_200));
    assert!(!bad.is_healthy(clock.monotonic()));
    hand.step(Duration::from_millis(1_200));
    assert!(bad.is_healthy(clock.monotonic()));
}

#[test]
fn each_target_is_tried_once_and_has_its_share_of_the_time() {
    let (targets, clock, hand) = targets(&[1, 2]);
    let mut search = targets.search(&clock, LIMIT);
    let (first, share) = search.next().unwrap();
    assert_eq!((share, search.has_more()), (LIMIT / 2, true));
    hand.step(Duration::from_secs(2));
    search.note::<()>(&first, Err("first"));
    let (second, rest) = search.next().unwrap();
    assert_eq!((rest, search.has_more()), (Duration::from_secs(8), false));
    assert_ne!(port(&first), port(&second));
    search.note::<()>(&second, Err("second"));
    assert!(search.next().is_none());
    assert_eq!(search.failure(), Some("second"));
}

#[test]
fn when_all_are_ill_they_are_tried_all_the_same() {
    let (targets, clock, _hand) = targets(&[1, 2]);
    for target in targets.iter() {
        assert_eq!(target.health().checked_ill(1), Some(Turn::FellIll));
    }
    let mut search: Search<()> = targets.search(&clock, LIMIT);
    assert!(search.next().is_some());
    assert!(search.next().is_some());
}

#[test]
fn one_bad_check_is_no_illness_and_one_good_check_no_recovery() {
    let (targets, clock, _hand) = targets(&[1]);
    let target = targets.iter().next().unwrap();
    let health = target.health();
    assert_eq!(health.checked_ill(3), None);
    assert_eq!(health.checked_ill(3), None);
    assert_eq!(health.checked_well(2), None);
    assert_eq!((health.checked_ill(3), health.checked_ill(3)), (None, None));
    assert!(target.is_healthy(clock.monotonic()));
    assert_eq!(health.checked_ill(3), Some(Turn::FellIll));
    assert!(!target.is_healthy(clock.monotonic()));
    assert_eq!(health.checked_well(2), None);
    assert!(health.is_ill());
    assert_eq!(health.checked_well(2), Some(Turn::Recovered));
    assert!(target.is_healthy(clock.monotonic()));
}

#[test]
fn what_is_known_of_a_target_outlives_its_configuration() {
    let (before, clock, _hand) = targets(&[1, 2]);
    let _open = Lease::new(before.iter().next().unwrap().clone());
    before.iter().next().unwrap().health().checked_ill(1);
    let (mut after, ..) = targets(&[3, 1]);
    after.inherit(&before, true);
    let known = after.iter().map(|target| (target.open(), target.is_healthy(clock.monotonic())));
    assert_eq!(known.collect::<Vec<_>>(), [(0, true), (1, false)]);
    let (mut unchecked, ..) = targets(&[1]);
    unchecked.inherit(&after, false);
    assert!(unchecked.iter().all(|target| target.is_healthy(clock.monotonic())));
}
