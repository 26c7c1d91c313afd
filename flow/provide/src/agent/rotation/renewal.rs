//! When an X.509-SVID is renewed: long before its end, and not together with all others.

use std::time::{Duration, SystemTime};

use finial_daemon::jitter;
use finial_identity::X509Svid;

/// The share by which half lives are spread, so that SVIDs issued together are not renewed together.
const SPREAD: f64 = 0.1;
/// What an availability target must leave of a life; else it is passed over (SPIRE: 12 h).
const LEAST_USE: Duration = Duration::from_secs(12 * 3600);
/// How much earlier than the availability target asks for, at the most (SPIRE: 10 min).
const LEAD: Duration = Duration::from_secs(600);

/// When to renew what arrives now: at half of the life that is left, ± 10 %, or as the availability target asks.
///
/// Not half of its whole life: NotBefore lies in the past so that clocks may differ, and a short-lived SVID would be due
/// on arrival.
pub(super) fn due(svid: &X509Svid, availability_target: Option<Duration>, now: SystemTime) -> SystemTime {
    let until_end = |start| svid.not_after().duration_since(start).unwrap_or_default();
    let life = until_end(svid.not_before());
    // By a clock that is behind the server's it has more left than it was ever given.
    let left = until_end(now).min(life);
    match availability_target.filter(|target| life.saturating_sub(*target) >= LEAST_USE) {
        // Spread evenly over the ten minutes before the target.
        Some(target) => svid.not_after() - target - jitter(LEAD / 2, 1.0),
        None => now + jitter(left / 2, SPREAD),
    }
}
