//! Growth, bounds and spread.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::{Backoff, jitter};

fn about(span: Duration, expected_ms: u64) -> bool {
    let expected = Duration::from_millis(expected_ms);
    span >= expected.mul_f64(0.9) && span <= expected.mul_f64(1.1)
}

#[test]
fn spans_double_up_to_the_longest_and_begin_again_after_a_success() {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
    for expected_ms in [100, 200, 400, 500, 500] {
        let span = backoff.next();
        assert!(about(span, expected_ms), "{span:?} is not about {expected_ms} ms");
    }
    backoff.reset();
    assert!(about(backoff.next(), 100));
}

#[test]
fn first_span_is_bounded_too() {
    assert!(about(Backoff::new(Duration::from_secs(9), Duration::from_secs(1)).next(), 1000));
}

#[test]
fn jitter_stays_within_its_fraction_and_spreads() {
    let span = Duration::from_secs(100);
    let spans: Vec<_> = (0..1000).map(|_| jitter(span, 0.1)).collect();
    assert!(spans.iter().all(|at| (Duration::from_secs(90)..=Duration::from_secs(110)).contains(at)));
    assert!(spans.iter().any(|at| *at < span) && spans.iter().any(|at| *at > span));
}

#[test]
fn odd_fractions_and_spans_do_no_harm() {
    for (span, fraction) in [(Duration::MAX, 1.0), (Duration::ZERO, 0.5), (Duration::from_secs(1), f64::NAN)]
    {
        let _ = jitter(span, fraction);
    }
    assert_eq!(jitter(Duration::from_secs(1), -3.0), Duration::from_secs(1));
    assert!(jitter(Duration::from_secs(1), 7.0) <= Duration::from_secs(2));
}
