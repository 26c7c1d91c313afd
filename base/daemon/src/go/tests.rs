//! Go's texts, as Go's own documentation and command line print them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use super::{TimeError, format_duration, format_rfc3339, format_time, parse_duration, parse_time};

const GOOD: &[(&str, u128)] = &[
    ("0", 0),
    ("+0", 0),
    ("0s", 0),
    ("5s", 5_000_000_000),
    ("+5s", 5_000_000_000),
    ("1h30m", 5_400_000_000_000),
    ("1h15m30.918s", 4_530_918_000_000),
    ("300ms", 300_000_000),
    ("1.5h", 5_400_000_000_000),
    (".5s", 500_000_000),
    ("1.s", 1_000_000_000),
    ("10us", 10_000),
    ("10µs", 10_000),
    ("10μs", 10_000),
    ("7ns", 7),
    ("0.3333333333333333333h", 1_199_999_999_999),
    ("100h", 360_000_000_000_000),
    ("30m1h", 5_400_000_000_000),
    ("9223372036854775807ns", 9_223_372_036_854_775_807),
];

const BAD: &[(&str, &str)] = &[
    ("", "nothing"),
    ("3", "no unit"),
    ("s", "no number"),
    (".s", "no digit"),
    (".", "no digit, no unit"),
    ("-5s", "negative"),
    ("+", "a sign alone"),
    ("++5s", "two signs"),
    ("1 h", "a space"),
    (" 1h", "a space in front"),
    ("1h ", "a space behind"),
    ("1d", "a unit that Go does not know"),
    ("1H", "an upper case unit"),
    ("1h-30m", "a sign inside"),
    ("9223372036854775808ns", "one beyond the range"),
    ("2562048h", "beyond the range in hours"),
    ("99999999999999999999999999999999999999999h", "more digits than fit"),
    ("1e3s", "an exponent"),
];

#[test]
fn good_durations_are_read() {
    for (text, nanos) in GOOD {
        assert_eq!(parse_duration(text).unwrap().as_nanos(), *nanos, "{text}");
    }
}

#[test]
fn bad_durations_are_refused_by_value() {
    for (text, why) in BAD {
        let error = parse_duration(text).expect_err(why);
        assert_eq!(error.0, *text);
        assert!(error.to_string().contains(&format!("`{text}`")), "{why}: {error}");
    }
}

#[test]
fn durations_are_written_as_go_writes_them() {
    for (nanos, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (10_000_000_000, "10s"),
        (60_000_000_000, "1m0s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (86_400_000_000_000, "24h0m0s"),
    ] {
        assert_eq!(format_duration(Duration::from_nanos(nanos)), text);
        assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)));
    }
}

#[test]
fn instants_are_written_as_go_writes_them() {
    let at = |nanos| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
    assert_eq!(format_time(SystemTime::UNIX_EPOCH), "1970-01-01 00:00:00 +0000 UTC");
    assert_eq!(format_time(at(1_136_214_245_000_000_000)), "2006-01-02 15:04:05 +0000 UTC");
    assert_eq!(format_time(at(1_136_214_245_500_000_000)), "2006-01-02 15:04:05.5 +0000 UTC");
    assert_eq!(format_time(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31 23:59:59 +0000 UTC");
}

#[test]
fn instants_beyond_the_calendar_do_no_harm() {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert!(format_time(far).starts_with("9999-12-30"), "{}", format_time(far));
}

#[test]
fn times_are_read_with_their_offset() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for (text, seconds) in [
        ("2026-01-02 15:04:05 +0000 +00", 1_767_366_245),
        ("2026-01-02 15:04:05 +0000 UTC", 1_767_366_245),
        ("2026-01-02 15:04:05 -0700 -07", 1_767_366_245 + 7 * 3600),
        ("2026-01-02 15:04:05 +0530", 1_767_366_245 - 5 * 3600 - 1800),
    ] {
        assert_eq!(parse_time(text), Ok(at(seconds)), "{text}");
    }
}

#[test]
fn times_in_other_forms_are_refused() {
    for text in [
        "",
        "2026-01-02",
        "2026-01-02 15:04:05",
        "2026-01-02T15:04:05Z",
        "2026-13-02 15:04:05 +0000 +00",
        "2026-01-02 15:04:05 -0700 +07",
        "2026-01-02 15:04:05 -0700 -07 x",
        "tomorrow at noon sharp",
    ] {
        assert_eq!(parse_time(text), Err(TimeError(text.to_owned())));
    }
}

#[test]
fn rfc_3339_is_in_utc_and_whole_seconds() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_999);
    assert_eq!(format_rfc3339(at), "2027-01-15T08:00:00Z");
}
