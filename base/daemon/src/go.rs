//! Go's text for spans and instants, which SPIRE's configuration and output use.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The longest span that Go can hold, about 292 years.
const MAX_NANOS: u128 = i64::MAX as u128;

/// Digits beyond these are far below a nanosecond, whatever the unit.
const FRACTION_DIGITS: usize = 18;

const HOUR: u128 = 3_600_000_000_000;
const MINUTE: u128 = 60_000_000_000;
const SECOND: u128 = 1_000_000_000;
const MILLISECOND: u128 = 1_000_000;
const MICROSECOND: u128 = 1_000;

/// A text that is no Go duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write a number and a unit, such as 90s, 1h30m or 500ms")]
pub struct DurationError(
    /// The text at fault.
    pub String,
);

/// Reads `1h30m`, `300ms`, `1.5h`, `0`: numbers with the units h, m, s, ms, us, µs and ns, as Go's
/// `time.ParseDuration` does.
///
/// # Errors
/// When the text is no Go duration, is negative, or exceeds Go's range (about 292 years).
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    nanos(text).map(from_nanos).ok_or_else(|| DurationError(text.to_owned()))
}

/// Writes a span as Go's `Duration.String()` does: `1h30m0s`, `1.5s`, `2ms`, `0s`.
pub fn format_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..MICROSECOND => format!("{nanos}ns"),
        MICROSECOND..MILLISECOND => format!("{}µs", decimal(nanos, MICROSECOND)),
        MILLISECOND..SECOND => format!("{}ms", decimal(nanos, MILLISECOND)),
        SECOND..MINUTE => format!("{}s", decimal(nanos, SECOND)),
        MINUTE..HOUR => format!("{}m{}s", nanos / MINUTE, decimal(nanos % MINUTE, SECOND)),
        _ => {
            let (minutes, rest) = (nanos % HOUR / MINUTE, nanos % MINUTE);
            format!("{}h{minutes}m{}s", nanos / HOUR, decimal(rest, SECOND))
        }
    }
}

/// A text that is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: write it as 2006-01-02 15:04:05 -0700 -07")]
pub struct TimeError(
    /// The text at fault.
    pub String,
);

/// Reads `2006-01-02 15:04:05 -0700 -07`: a time and its offset from UTC, which Go writes twice for zones without a
/// name. The second one may be `UTC`, as [`format_time`] writes it, or missing.
///
/// # Errors
/// When the text has another form.
pub fn parse_time(text: &str) -> Result<SystemTime, TimeError> {
    let wrong = || TimeError(text.to_owned());
    let mut words = text.split_ascii_whitespace();
    let (Some(date), Some(time), Some(offset)) = (words.next(), words.next(), words.next()) else {
        return Err(wrong());
    };
    let again_is_consistent = words.next().is_none_or(|again| again == "UTC" || offset.starts_with(again));
    if !again_is_consistent || words.next().is_some() {
        return Err(wrong());
    }
    let instant = Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f %z", format!("{date} {time} {offset}"));
    instant.map(SystemTime::from).map_err(|_| wrong())
}

/// Writes an instant as Go's RFC 3339 layout does, in UTC and whole seconds: `2006-01-02T15:04:05Z`.
pub fn format_rfc3339(instant: SystemTime) -> String {
    let time = Timestamp::try_from(instant).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes an instant as Go's `Time.String()` does in UTC: `2006-01-02 15:04:05 +0000 UTC`, with a fraction when
/// there is one. Instants after the year 9999 are written as its end.
pub fn format_time(instant: SystemTime) -> String {
    let bound = if instant < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    let instant = Timestamp::try_from(instant).unwrap_or(bound);
    instant.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string()
}

fn nanos(text: &str) -> Option<u128> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after) = unit(after)?;
        total = total.checked_add(scaled(whole, fraction, unit)?).filter(|nanos| *nanos <= MAX_NANOS)?;
        rest = after;
    }
    Some(total)
}

/// `whole.fraction × unit`; parts of a nanosecond are dropped, as Go does.
fn scaled(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_mul(unit)?.checked_add(parts * unit / scale)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit(text: &str) -> Option<(u128, &str)> {
    let end = text.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(text.len());
    let (unit, rest) = text.split_at(end);
    let nanos = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    };
    Some((nanos, rest))
}

fn decimal(nanos: u128, unit: u128) -> String {
    let places = unit.ilog10() as usize;
    let text = format!("{}.{:0places$}", nanos / unit, nanos % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn from_nanos(nanos: u128) -> Duration {
    let (seconds, rest) = (nanos / SECOND, nanos % SECOND);
    // Both fit: at most i64::MAX nanoseconds, and less than a second.
    Duration::new(u64::try_from(seconds).unwrap_or(u64::MAX), u32::try_from(rest).unwrap_or_default())
}
