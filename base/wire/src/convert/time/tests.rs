//! Instants and spans.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, UNIX_EPOCH};

use super::{
    expires_before, instant, optional_instant, optional_seconds, seconds, to_expires_before, ttl, ttl_seconds,
};
use crate::harness::noon;

#[test]
fn instants_travel_as_whole_seconds() {
    assert_eq!(instant("at", seconds(noon())).unwrap(), noon());
    assert_eq!(seconds(noon() + Duration::from_millis(999)), seconds(noon()));
    assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
}

#[test]
fn zero_is_no_instant() {
    assert_eq!(optional_instant("at", 0).unwrap(), None);
    assert_eq!(optional_seconds(None), 0);
}

#[test]
fn instants_out_of_range_are_refused() {
    assert_eq!(instant("at", -1).unwrap_err().to_string(), "at must not be negative: -1");
    assert_eq!(
        instant("at", i64::MAX).unwrap_err().to_string(),
        format!("at is past the year 9999: {}", i64::MAX)
    );
}

#[test]
fn zero_ttl_is_the_default() {
    assert_eq!(ttl("ttl", 0).unwrap(), None);
    assert_eq!(ttl("ttl", 60).unwrap(), Some(Duration::from_secs(60)));
    assert_eq!(ttl("ttl", -1).unwrap_err().to_string(), "ttl must not be negative: -1");
}

#[test]
fn short_ttl_does_not_become_the_default() {
    assert_eq!(ttl_seconds(Some(Duration::from_millis(1))), 1);
    assert_eq!(ttl_seconds(Some(Duration::from_secs(60))), 60);
    assert_eq!(ttl_seconds(Some(Duration::MAX)), i32::MAX);
    assert_eq!(ttl_seconds(None), 0);
}

#[test]
fn expires_before_is_read_with_its_offset() {
    let at = instant("at", 1_136_214_245).unwrap();
    assert_eq!(expires_before("2006-01-02 15:04:05 +0000 +00").unwrap(), at);
    assert_eq!(expires_before("2006-01-02 08:04:05 -0700 -07").unwrap(), at);
    assert_eq!(to_expires_before(at), "2006-01-02 15:04:05 +0000 +00");
}

#[test]
fn malformed_expires_before_is_refused() {
    for text in
        ["", "tomorrow", "2006-01-02", "2006-01-02 15:04:05", "2006-13-02 15:04:05 +0000 +00", "\u{0}"]
    {
        assert!(expires_before(text).is_err(), "{text}");
    }
}
