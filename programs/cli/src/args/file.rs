//! `@file` on a command line: a file that holds arguments, one on each line, as kingpin reads it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The most files that one command line may name, so that one that names itself comes to an end.
const MAX_FILES: usize = 64;

/// A file of arguments cannot be read. Its lines may be secrets, and are not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("expected @ file to expand arguments from")]
    NoName,
    #[error("failed to read arguments from {path:?}")]
    Read { path: OsString, source: io::Error },
    #[error("arguments file {path:?} is larger than {MAX_BYTES} bytes")]
    TooLarge { path: OsString },
    #[error("more than {MAX_FILES} files of arguments: does one name itself?")]
    TooMany,
}

/// Reads the files that one command line names.
#[derive(Debug, Default)]
pub(crate) struct Files {
    read: usize,
}

impl Files {
    /// The path in `@path`; `None` for any other argument.
    pub(crate) fn named(arg: &OsStr) -> Option<OsString> {
        arg.as_bytes().strip_prefix(b"@").map(|path| OsString::from_vec(path.to_vec()))
    }

    /// Its lines, without those that begin with `#`. An empty line is an empty argument.
    pub(crate) fn read(&mut self, path: OsString) -> Result<Vec<OsString>, FileError> {
        if path.is_empty() {
            return Err(FileError::NoName);
        }
        self.read += 1;
        if self.read > MAX_FILES {
            return Err(FileError::TooMany);
        }
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(source) => Err(FileError::Read { path, source }),
            Ok(_) if bytes.len() as u64 > MAX_BYTES => Err(FileError::TooLarge { path }),
            Ok(_) => Ok(lines(&bytes)),
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.starts_with(b"#")).map(|line| OsString::from_vec(line.to_vec())).collect()
}
