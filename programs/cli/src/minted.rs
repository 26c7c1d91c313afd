//! What is told of a minted SVID beside itself.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use finial_daemon::go;

use crate::output;

/// How much shorter than asked for an SVID may be without a word: its end is a whole second, and the answer took time.
const SLACK: Duration = Duration::from_secs(2);

/// Says on standard error that an SVID ends sooner than was asked for, since its authority does.
pub(crate) fn warn_if_capped(
    what: &str,
    asked_at: SystemTime,
    ttl: Option<Duration>,
    expires_at: SystemTime,
) {
    if ttl.is_some_and(|ttl| is_capped(asked_at, ttl, expires_at)) {
        let expires_at = go::format_rfc3339(expires_at);
        output::complain(format_args!(
            "{what} lifetime was capped shorter than specified ttl; expires {expires_at:?}\n"
        ));
    }
}

fn is_capped(asked_at: SystemTime, ttl: Duration, expires_at: SystemTime) -> bool {
    // A life beyond all calendars is cut for certain.
    asked_at.checked_add(ttl).is_none_or(|asked_for| expires_at + SLACK < asked_for)
}
