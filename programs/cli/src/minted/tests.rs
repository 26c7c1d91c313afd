//! When an SVID counts as shorter than asked for.

use std::time::{Duration, SystemTime};

use super::is_capped;

#[test]
fn an_svid_is_capped_when_it_ends_well_before_what_was_asked_for() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let hour = Duration::from_hours(1);
    for (ttl, lives, capped) in [
        (hour, hour, false),
        (hour, hour - Duration::from_secs(1), false),
        (hour, hour - Duration::from_secs(3), true),
        (hour * 48, hour, true),
        (Duration::MAX, hour, true),
        (Duration::from_millis(1), Duration::from_secs(1), false),
    ] {
        assert_eq!(is_capped(now, ttl, now + lives), capped, "{ttl:?} became {lives:?}");
    }
}
