//! SHA-256 digests of executables, remembered as long as the file has not changed.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use finial_daemon::Clock;

use crate::{AttestError, Executable};

/// Digests of executables by the state of the file.
#[derive(Debug)]
pub(super) struct Digests {
    clock: Clock,
    known: Mutex<HashMap<FileState, String>>,
}

/// A file and its content, as far as the file system tells: any write moves the times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Digests {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, known: Mutex::default() }
    }

    /// The digest of a file of at most `limit` bytes, in lower-case hex.
    pub(super) async fn sha256(&self, executable: Executable, limit: u64) -> Result<String, AttestError> {
        let state = FileState::of(executable.metadata());
        if state.size > limit {
            return Err(AttestError::ExecutableSize { pid: executable.pid(), size: state.size, limit });
        }
        if let Some(digest) = self.locked().get(&state) {
            return Ok(digest.clone());
        }
        let digest = tokio::task::spawn_blocking(move || digest_of(&executable, limit)).await;
        let digest = digest.map_err(|source| AttestError::Aborted { source })??;
        if self.is_settled(state) {
            self.remember(state, digest.clone());
        }
        Ok(digest)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.locked().len()
    }

    /// Whether the last change is long enough ago to show in the times of any later one.
    fn is_settled(&self, state: FileState) -> bool {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(state.changed.0).unwrap_or_default());
        changed + SETTLED < now
    }

    fn remember(&self, state: FileState, digest: String) {
        let mut known = self.locked();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(state, digest);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<FileState, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads on from the file that was opened, never from its path; a file that grows past the limit is refused too.
fn digest_of(executable: &Executable, limit: u64) -> Result<String, AttestError> {
    let mut file: File = executable.open()?;
    let (mut hasher, mut chunk, mut size) = (Context::new(&SHA256), vec![0; CHUNK], 0);
    loop {
        let read = file.read(&mut chunk).map_err(|source| executable.unreadable(source))?;
        if read == 0 {
            return Ok(hex::encode(hasher.finish()));
        }
        size += read as u64;
        if size > limit {
            return Err(AttestError::ExecutableSize { pid: executable.pid(), size, limit });
        }
        hasher.update(&chunk[..read]);
    }
}

/// How many digests are remembered; beyond that all are forgotten.
const CAPACITY: usize = 1024;
/// A file that changed less than this ago may change again without its times showing it.
const SETTLED: Duration = Duration::from_secs(2);
const CHUNK: usize = 64 * 1024;
