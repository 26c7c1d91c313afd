//! Places that grow and shrink under those who have one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use futures_util::FutureExt;

use super::{Place, Places};

fn take(places: &Places) -> Option<Place> {
    places.take().now_or_never()
}

#[test]
fn nobody_gets_a_place_that_is_not_there() {
    let places = Places::new(1);
    let first = take(&places).unwrap();
    assert!(take(&places).is_none());
    drop(first);
    assert!(take(&places).is_some());
}

#[test]
fn more_places_are_free_at_once() {
    let places = Places::new(1);
    let _first = take(&places).unwrap();
    places.resize(2);
    let _second = take(&places).unwrap();
    assert!(take(&places).is_none());
}

#[test]
fn who_has_a_place_keeps_it_when_there_are_fewer() {
    let places = Places::new(3);
    let (first, second, third) = (take(&places).unwrap(), take(&places).unwrap(), take(&places).unwrap());
    places.resize(1);
    drop(first);
    assert!(take(&places).is_none());
    drop(second);
    assert!(take(&places).is_none());
    drop(third);
    let _next = take(&places).unwrap();
    assert!(take(&places).is_none());
}

#[test]
fn places_that_are_owed_come_back_first() {
    let places = Places::new(2);
    let (first, _second) = (take(&places).unwrap(), take(&places).unwrap());
    places.resize(1);
    places.resize(2);
    assert!(take(&places).is_none());
    drop(first);
    assert!(take(&places).is_some());
}

#[test]
fn no_limit_is_the_largest() {
    let places = Places::new(usize::MAX);
    places.resize(1);
    let _one = take(&places).unwrap();
    places.resize(usize::MAX);
    assert!(take(&places).is_some());
}
