//! A log file that can be opened anew, after something else has renamed it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::LogError;

/// The end of a file. Clones write to the same one.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(append(path)?)) })
    }

    /// Goes on in the file that has the name now, which is made if it is missing. What is open stays in use when that fails.
    pub(super) fn reopen(&self) -> Result<(), LogError> {
        let opened = append(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }
}

fn append(path: &Path) -> Result<File, LogError> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
    opened.map_err(|source| LogError::CannotOpen { path: path.to_owned(), source })
}

impl<'writer> MakeWriter<'writer> for LogFile {
    type Writer = Self;

    fn make_writer(&'writer self) -> Self {
        self.clone()
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
