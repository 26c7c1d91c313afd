//! Limits on callers, on a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::metrics::Metrics;
use finial_daemon::telemetry::TelemetryConfig;
use finial_daemon::{Clock, ClockHand};
use finial_identity::{Selector, SelectorSet};
use tonic::Code;

use super::{MOST_BUCKETS, RateLimits, RatedCall, Rates};
use crate::agent::meters::CacheMeters;
use crate::agent::testing::start_of_time;

const NONE: RateLimits = RateLimits {
    fetch_x509_svid: 0,
    fetch_jwt_svid: 0,
    fetch_x509_bundles: 0,
    fetch_jwt_bundles: 0,
    stream_secrets: 0,
    fetch_secrets: 0,
};

fn rates(limits: RateLimits) -> (Rates, ClockHand) {
    let (clock, hand) = Clock::manual(start_of_time());
    (Rates::new(limits, CacheMeters::default(), clock), hand)
}

fn selectors(text: &str) -> SelectorSet {
    text.split(' ').filter(|text| !text.is_empty()).map(|text| Selector::parse(text).unwrap()).collect()
}

/// How many of so many calls are let through.
fn admitted(rates: &Rates, call: RatedCall, caller: &str, calls: usize) -> usize {
    (0..calls).filter(|_| rates.take(call, &selectors(caller)).is_ok()).count()
}

#[test]
fn as_many_calls_as_a_second_allows_then_unavailable() {
    let (rates, hand) = rates(RateLimits { fetch_jwt_svid: 10, ..NONE });
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:a", 30), 10);
    let refused = rates.take(RatedCall::FetchJwtSvid, &selectors("t:a")).unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("ratelimit fetch_jwt_svid"), "{refused}");
    assert!(!refused.message().contains("t:a"), "selectors are secrets: {refused}");
    hand.step(Duration::from_millis(500));
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:a", 30), 5);
}

#[test]
fn refused_calls_are_counted_by_method() {
    let (mut rates, _hand) = rates(RateLimits { fetch_jwt_svid: 10, fetch_secrets: 1, ..NONE });
    let metrics = Metrics::new(&TelemetryConfig::default(), "spire_agent", "example.org", &rates.clock);
    rates.meters = CacheMeters::new(&metrics);
    admitted(&rates, RatedCall::FetchJwtSvid, "t:a", 30);
    admitted(&rates, RatedCall::FetchSecrets, "t:a", 1);
    let page = metrics.page();
    for (method, count) in [("FetchJWTSVID", 20), ("FetchSecrets", 0), ("FetchX509SVID", 0)] {
        let line = page.lines().find(|line| line.contains(&format!("method=\"{method}\""))).unwrap();
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }
}

#[test]
fn refused_calls_cost_nothing() {
    let (rates, hand) = rates(RateLimits { fetch_jwt_svid: 1, ..NONE });
    let mut let_through = 0;
    for _ in 0..100 {
        let_through += admitted(&rates, RatedCall::FetchJwtSvid, "t:a", 1);
        hand.step(Duration::from_millis(100));
    }
    assert!((9..=11).contains(&let_through), "one a second in ten: {let_through}");
}

#[test]
fn sets_of_selectors_and_calls_do_not_share_a_limit() {
    let (rates, _hand) = rates(RateLimits { fetch_jwt_svid: 1, fetch_x509_svid: 1, ..NONE });
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:a", 3), 1);
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:a t:b", 3), 1);
    assert_eq!(admitted(&rates, RatedCall::FetchX509Svid, "t:a", 3), 1);
}

#[test]
fn callers_without_selectors_share_a_limit() {
    let (rates, _hand) = rates(RateLimits { fetch_jwt_svid: 2, ..NONE });
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "", 5), 2);
}

#[test]
fn nought_means_no_limit() {
    let (rates, _hand) = rates(NONE);
    assert_eq!(admitted(&rates, RatedCall::FetchX509Bundles, "t:a", 100_000), 100_000);
}

#[test]
fn limits_are_on_by_default() {
    let (rates, _hand) = rates(RateLimits::default());
    assert_eq!(admitted(&rates, RatedCall::FetchX509Svid, "t:a", 6_000), 5_000);
}

#[test]
fn number_of_buckets_is_bounded_and_nobody_new_is_locked_out() {
    let (rates, hand) = rates(RateLimits { fetch_jwt_svid: 2, ..NONE });
    for number in 0..MOST_BUCKETS + 10 {
        admitted(&rates, RatedCall::FetchJwtSvid, &format!("t:{number}"), 1);
    }
    assert!(rates.buckets.lock().unwrap().len() <= MOST_BUCKETS + 1);
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:late", 2), 0, "the newcomers share one by now");
    hand.step(Duration::from_secs(1));
    assert_eq!(admitted(&rates, RatedCall::FetchJwtSvid, "t:late", 2), 2);
    assert!(rates.buckets.lock().unwrap().len() < 10, "those that are full again are forgotten");
}
