//! How values of the nouns are written into columns, and read back.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;

use super::failure::Failure;

/// Seconds since 1970, rounded down.
pub(super) fn from_instant(instant: SystemTime) -> i64 {
    match instant.duration_since(UNIX_EPOCH) {
        Ok(since) => from_count(since.as_secs()),
        Err(before) => {
            -from_count(before.duration().as_secs() + u64::from(before.duration().subsec_nanos() > 0))
        }
    }
}

pub(super) fn to_instant(seconds: i64, row: impl Display) -> Result<SystemTime, Failure> {
    let span = Duration::from_secs(seconds.unsigned_abs());
    let instant = if seconds < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
    instant.ok_or_else(|| Failure::corrupt_row(row, format!("no instant: {seconds}")))
}

/// Whole seconds.
pub(super) fn from_span(span: Duration) -> i64 {
    from_count(span.as_secs())
}

pub(super) fn to_span(seconds: i64, row: impl Display) -> Result<Duration, Failure> {
    to_count(seconds, row).map(Duration::from_secs)
}

/// SQLite has no unsigned integers; counts beyond its largest do not occur.
pub(super) fn from_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn to_count(count: i64, row: impl Display) -> Result<u64, Failure> {
    u64::try_from(count).map_err(|error| Failure::corrupt_row(row, error))
}

/// A JSON array of texts.
pub(super) fn from_list(items: impl IntoIterator<Item = impl Display>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    serde_json::Value::from(texts).to_string()
}

pub(super) fn to_list<C, T>(json: &str, row: impl Display) -> Result<C, Failure>
where
    C: FromIterator<T>,
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let texts: Vec<String> = serde_json::from_str(json).map_err(|error| Failure::corrupt_row(&row, error))?;
    texts.iter().map(|text| text.parse().map_err(|error| Failure::corrupt_row(&row, error))).collect()
}

/// A value that is written as its text.
pub(super) fn to_text<T>(text: &str, row: impl Display) -> Result<T, Failure>
where
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    text.parse().map_err(|error| Failure::corrupt_row(row, error))
}

pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
