//! How many files and connections this process may have open.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one and returns it; `None` when there is no limit.
///
/// The soft limit is low (often 1024) for the sake of programs that use `select`. A server of ten thousand agents has a
/// descriptor for each, so every program that stays calls this once when it starts, as Go's runtime does for SPIRE.
///
/// # Errors
/// When the operating system refuses; the limit is then what it was.
pub fn raise_limit() -> io::Result<Option<u64>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum)
}

/// How many this process may have open now; `None` when there is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests;
