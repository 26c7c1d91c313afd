//! What a refusal says of time, and what of it is believed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

#[test]
fn refusal_says_when_to_ask_again_in_both_ways() {
    let after = Duration::from_millis(2_500);
    let status = refused_until(Code::ResourceExhausted, "rate limit exceeded", after);
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "rate limit exceeded"));
    assert_eq!(retry_after(&status), Some(after));
    assert_eq!(status.metadata().get(PUSHBACK).unwrap(), "2500");
}

#[test]
fn a_server_that_would_not_be_asked_for_years_is_asked_after_five_minutes() {
    let refusal = refused_until(Code::Unavailable, "busy", Duration::from_secs(1 << 40));
    assert_eq!(retry_after(&refusal), Some(Duration::from_secs(300)));
}

#[test]
fn refusals_without_a_time_or_with_one_that_is_none_say_nothing() {
    let backwards = RetryInfo { retry_delay: Some(prost_types::Duration { seconds: -1, nanos: 0 }) };
    let any = Any { type_url: TYPE_URL.to_owned(), value: backwards.encode_to_vec() };
    let details = rpc::Status { code: 8, message: String::new(), details: vec![any] }.encode_to_vec();
    for details in [details, Vec::new(), b"garbage".to_vec()] {
        assert_eq!(retry_after(&Status::with_details(Code::ResourceExhausted, "", details.into())), None);
    }
}
