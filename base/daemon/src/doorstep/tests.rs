//! Who gives way to whom, and when.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;

use super::{Doorstep, GRACE, Origin, Spot};
use crate::{Clock, ClockHand};

const ONE: Origin = Origin::V6([0x2001, 0xdb8, 0, 1]);
const OTHER: Origin = Origin::V6([0x2001, 0xdb8, 0, 2]);

fn doorstep(spots: usize) -> (Arc<Doorstep>, ClockHand) {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    (Arc::new(Doorstep::new(spots, &clock)), hand)
}

fn has_room(doorstep: &Doorstep) -> bool {
    doorstep.has_room().now_or_never().is_some()
}

fn is_lost(spot: &mut Spot) -> bool {
    spot.lost().now_or_never().is_some()
}

#[test]
fn nobody_gives_way_while_there_is_a_spot_or_before_its_grace_is_over() {
    let (doorstep, hand) = doorstep(2);
    let mut first = doorstep.enter(ONE);
    hand.step(GRACE);
    assert!(has_room(&doorstep));
    let mut second = doorstep.enter(ONE);
    assert!(!is_lost(&mut first) && has_room(&doorstep));
    let mut third = doorstep.enter(ONE);
    assert!(is_lost(&mut first) && !is_lost(&mut second) && !is_lost(&mut third));
    assert!(!has_room(&doorstep));
    hand.step(GRACE - Duration::from_millis(1));
    assert!(!has_room(&doorstep));
    hand.step(Duration::from_millis(1));
    assert!(has_room(&doorstep));
}

#[test]
fn the_origin_with_the_most_callers_gives_way_however_long_others_have_waited() {
    let (doorstep, hand) = doorstep(3);
    let mut slow = doorstep.enter(OTHER);
    hand.step(GRACE);
    let mut crowd = [doorstep.enter(ONE), doorstep.enter(ONE)];
    assert!(!has_room(&doorstep), "the foremost of the crowd has its grace");
    hand.step(GRACE);
    let mut next = [(); 2].map(|()| {
        assert!(has_room(&doorstep));
        doorstep.enter(ONE)
    });
    assert!(!is_lost(&mut slow) && !next.iter_mut().any(is_lost));
    assert!(crowd.iter_mut().all(is_lost));
}

#[test]
fn among_equals_the_one_that_has_waited_longest_gives_way() {
    let (doorstep, hand) = doorstep(2);
    let (mut first, mut second) = (doorstep.enter(OTHER), doorstep.enter(ONE));
    hand.step(GRACE);
    let _third = doorstep.enter(Origin::ThisMachine);
    assert!(is_lost(&mut first) && !is_lost(&mut second));
}

#[test]
fn a_spot_that_is_kept_is_never_lost_and_counts_until_it_is_left() {
    let (doorstep, hand) = doorstep(1);
    let mut kept = doorstep.enter(ONE);
    assert!(kept.keep() && kept.keep());
    hand.step(GRACE * 100);
    assert!(!has_room(&doorstep) && !is_lost(&mut kept));
    drop(kept);
    assert!(has_room(&doorstep));
}

#[test]
fn a_spot_that_was_lost_cannot_be_kept_and_is_counted_once() {
    let (doorstep, hand) = doorstep(1);
    let mut lost = doorstep.enter(ONE);
    hand.step(GRACE);
    let _next = doorstep.enter(ONE);
    assert!(!lost.keep());
    drop(lost);
    assert!(!has_room(&doorstep));
}

#[tokio::test]
async fn a_spot_that_becomes_free_is_told() {
    let (doorstep, _hand) = doorstep(1);
    let spot = doorstep.enter(ONE);
    tokio::join!(biased; doorstep.has_room(), async { drop(spot) });
}

#[tokio::test]
async fn more_spots_are_there_at_once_and_fewer_when_somebody_leaves() {
    let (doorstep, _hand) = doorstep(1);
    let _first = doorstep.enter(ONE);
    tokio::join!(biased; doorstep.has_room(), async { doorstep.resize(2) });
    let second = doorstep.enter(ONE);
    doorstep.resize(1);
    drop(second);
    assert!(!has_room(&doorstep));
}
