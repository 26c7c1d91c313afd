//! The program that a process runs: one file, opened once, from which path, size and content are taken.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::AttestError;

/// The file that a process executes, held open: it stays the same file when the process execs another, and when
/// another file takes its place under its path.
#[derive(Debug)]
pub struct Executable {
    pid: i32,
    handle: File,
    metadata: Metadata,
}

impl Executable {
    /// `handle` was opened with `O_PATH`, for which no permission to read the file itself is needed.
    pub(super) fn of(pid: i32, handle: OwnedFd) -> Result<Self, AttestError> {
        let handle = File::from(handle);
        let metadata = handle.metadata().map_err(|source| unreadable(pid, source))?;
        Ok(Self { pid, handle, metadata })
    }

    /// The process that was found running it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Device, inode, size and times of the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The path under which it was started, as the kernel tells it; without the kernel's ` (deleted)` when the file
    /// has since been replaced or removed.
    ///
    /// The path is one of the process's own mount namespace: whoever may create namespaces or containers on this
    /// machine can give a file any path. Where such users exist, use the digest, or another selector beside the path.
    ///
    /// # Errors
    /// [`AttestError::Proc`].
    pub fn path(&self) -> Result<PathBuf, AttestError> {
        let path = std::fs::read_link(self.link()).map_err(|source| self.unreadable(source))?;
        Ok(self.undeleted(&path).to_path_buf())
    }

    /// Opens the file for reading: this very file, whatever its path leads to by now.
    ///
    /// # Errors
    /// [`AttestError::Proc`], as when the agent may not read it.
    pub fn open(&self) -> Result<File, AttestError> {
        File::open(self.link()).map_err(|source| self.unreadable(source))
    }

    /// Names the file at fault when reading it failed.
    pub(crate) fn unreadable(&self, source: io::Error) -> AttestError {
        unreadable(self.pid, source)
    }

    fn link(&self) -> PathBuf {
        PathBuf::from(format!("/proc/thread-self/fd/{}", self.handle.as_raw_fd()))
    }

    /// Only a file without any link left is sure to have the suffix from the kernel; another may be called so.
    fn undeleted<'a>(&self, path: &'a Path) -> &'a Path {
        match path.as_os_str().as_bytes().strip_suffix(DELETED) {
            Some(original) if self.metadata.nlink() == 0 => Path::new(OsStr::from_bytes(original)),
            _ => path,
        }
    }
}

fn unreadable(pid: i32, source: io::Error) -> AttestError {
    AttestError::Proc { pid, file: "exe".to_owned(), source }
}

/// What the kernel appends to the path of a file that was unlinked.
const DELETED: &[u8] = b" (deleted)";
