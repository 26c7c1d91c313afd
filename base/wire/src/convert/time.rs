//! Instants and spans, which travel as whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::error::WireError;

/// The last second of the year 9999, the last that X.509 can name.
const LAST_SECOND: i64 = 253_402_300_799;

/// Seconds since 1970.
pub(crate) fn instant(field: &'static str, seconds: i64) -> Result<SystemTime, WireError> {
    if seconds > LAST_SECOND {
        return Err(WireError::FarFuture { field, value: seconds });
    }
    let seconds = u64::try_from(seconds).map_err(|_| WireError::Negative { field, value: seconds })?;
    Ok(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Seconds since 1970; 0 is none.
pub(crate) fn optional_instant(field: &'static str, seconds: i64) -> Result<Option<SystemTime>, WireError> {
    (seconds != 0).then(|| instant(field, seconds)).transpose()
}

/// Whole seconds since 1970, rounded down; 0 for what was before.
pub(crate) fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Whole seconds since 1970; 0 for none.
pub(crate) fn optional_seconds(at: Option<SystemTime>) -> i64 {
    at.map_or(0, seconds)
}

/// A lifetime in seconds; 0 is none, which means the default.
pub(crate) fn ttl(field: &'static str, seconds: i32) -> Result<Option<Duration>, WireError> {
    let seconds = u64::try_from(seconds).map_err(|_| WireError::Negative { field, value: seconds.into() })?;
    Ok((seconds != 0).then(|| Duration::from_secs(seconds)))
}

/// A lifetime in whole seconds, rounded up so that a short one does not become the default; 0 for none.
pub(crate) fn ttl_seconds(ttl: Option<Duration>) -> i32 {
    let seconds = ttl.map_or(0, |ttl| ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// The text form of `by_expires_before`, whose offset comes twice: `2006-01-02 15:04:05 -0700 -07`.
pub(crate) fn expires_before(text: &str) -> Result<SystemTime, WireError> {
    let malformed = || WireError::ExpiresBefore(text.to_owned());
    let (time, _) = text.rsplit_once(' ').ok_or_else(malformed)?;
    let time = Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", time).map_err(|_| malformed())?;
    instant("by_expires_before", time.as_second())
}

/// The same form, at offset zero.
pub(crate) fn to_expires_before(at: SystemTime) -> String {
    let time = Timestamp::from_second(seconds(at).min(LAST_SECOND)).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d %H:%M:%S +0000 +00").to_string()
}

#[cfg(test)]
mod tests;
