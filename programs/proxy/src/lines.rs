//! How log lines say what the proxy met: errors with their causes, what others wrote, and spans of time.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use finial_daemon::go;

/// The most that a line shows of what somebody else wrote, in characters.
const EXCERPT: usize = 200;

/// An error with its causes, in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// A span in whole milliseconds, or microseconds below one.
pub(crate) fn rounded(span: Duration) -> String {
    let whole =
        |unit: u128| Duration::from_nanos(u64::try_from(span.as_nanos() / unit * unit).unwrap_or(u64::MAX));
    go::format_duration(if span < Duration::from_millis(1) { whole(1_000) } else { whole(1_000_000) })
}

/// What somebody else wrote, such as a subject: it may hold what would break a line, and be as long as they like.
pub(crate) fn excerpt(text: &str) -> String {
    let mut escaped = text.escape_debug();
    let mut excerpt: String = escaped.by_ref().take(EXCERPT).collect();
    if escaped.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}
