//! Noticing that files were changed, by what the system tells about them and without reading them.

#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often is looked. What is noticed is read at most [`PATIENCE`] looks later, so that trust which leaves a file is
/// gone within five seconds.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// How many looks a file that is being written may take before it is read as it is.
const PATIENCE: u32 = 3;

/// Files, and what was last known of them.
#[derive(Debug)]
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    /// As they were when they were read.
    read: Vec<Option<Mark>>,
    /// As they were at the last look.
    seen: Vec<Option<Mark>>,
    /// For how many looks they have been different from what was read.
    waited: u32,
}

/// What differs when a file was written again, or another was put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    length: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// Whoever asks reads the files after this, so that no change is missed.
    pub(crate) async fn new(paths: Vec<PathBuf>) -> Self {
        let read = marks(&paths).await;
        Self { paths, seen: read.clone(), read, waited: 0 }
    }

    /// Whether the files have changed since they were read, and have come to rest: a file that is written in several
    /// steps is left alone for a moment. When so, the caller reads them.
    pub(crate) async fn changed(&mut self) -> bool {
        let now = marks(&self.paths).await;
        if now == self.read {
            (self.seen, self.waited) = (now, 0);
            return false;
        }
        self.waited += 1;
        let at_rest = now == self.seen || self.waited > PATIENCE;
        self.seen = now;
        if at_rest {
            (self.read, self.waited) = (self.seen.clone(), 0);
        }
        at_rest
    }
}

async fn marks(paths: &[PathBuf]) -> Vec<Option<Mark>> {
    let mut marks = Vec::with_capacity(paths.len());
    for path in paths {
        marks.push(mark(path).await);
    }
    marks
}

/// `None` of a file that is not there, or may not be looked at.
async fn mark(path: &Path) -> Option<Mark> {
    let found = tokio::fs::metadata(path).await.ok()?;
    Some(Mark {
        device: found.dev(),
        inode: found.ino(),
        length: found.len(),
        written: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}
