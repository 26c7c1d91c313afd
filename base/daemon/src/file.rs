//! Files that are either wholly the old or wholly the new content, whatever happens in between.
//!
//! Content goes to a temporary file in the same folder, is flushed to the disk, takes the place of the old file in
//! one step, and the folder is flushed too: when [`write()`] returns, a crash can no longer undo it, and when it
//! fails, the old file is untouched. These calls wait for the disk.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read: what these programs keep in files is far smaller.
const MAX_SIZE: u64 = 64 << 20;

/// Which generation of a file was read.
#[derive(Debug)]
pub enum Generation {
    /// The file itself.
    Current,
    /// `<path>.prev`, because the file itself was refused for this reason, which deserves a log line. Repair the
    /// file with [`write()`]: [`write_keeping_previous`] would replace the good generation by the bad one.
    Previous(io::Error),
}

/// Why a file could not be read or written, with the path and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {remedy}", path.display())]
struct FileError {
    action: &'static str,
    path: PathBuf,
    remedy: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Replaces the file at `path` by `bytes`, with permissions `mode` (such as `0o600`) whatever the umask.
///
/// # Errors
/// Names the path and the remedy; its kind is the cause's. The old content is then untouched.
pub fn write(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = path.as_ref();
    replace(path, bytes, mode).map_err(|source| cannot_write(path, source))
}

/// Like [`write()`], and keeps the old content, with the same permissions, as `<path>.prev`.
///
/// # Errors
/// As [`write()`].
pub fn write_keeping_previous(path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = path.as_ref();
    match read(path) {
        Ok(old) => write(previous(path), &old, mode)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(cannot_read(path, error)),
    }
    write(path, bytes, mode)
}

/// Reads and parses the file at `path`, or, when that is unreadable or refused by `parse`, `<path>.prev`.
///
/// `None` when the file is missing, even if an earlier generation exists: who deletes a file means it.
///
/// # Errors
/// The error of the file itself, with path and remedy, when no generation can be used.
pub fn read_or_previous<T, E>(
    path: impl AsRef<Path>,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> io::Result<Option<(T, Generation)>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let path = path.as_ref();
    let load =
        |path: &Path| parse(&read(path)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
    let refusal = match load(path) {
        Ok(value) => return Ok(Some((value, Generation::Current))),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => cannot_read(path, error),
    };
    match load(&previous(path)) {
        Ok(value) => Ok(Some((value, Generation::Previous(refusal)))),
        Err(_) => Err(refusal),
    }
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (folder, temporary) = beside(path)?;
    let mut file = open_exclusively(&temporary)?;
    let written = fill(&mut file, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn fill(file: &mut File, bytes: &[u8], mode: u32) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Opens the temporary file as its only writer. Its name is fixed, so that a crash leaves at most one behind, which
/// the next write takes over.
fn open_exclusively(temporary: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(no_link);
    loop {
        let file = options.open(temporary)?;
        file.lock()?;
        // Whoever held the lock before may have put this very file in place: then it is no temporary file any more.
        match fs::symlink_metadata(temporary) {
            Ok(named) if named.ino() == file.metadata()?.ino() => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

fn beside(path: &Path) -> io::Result<(&Path, PathBuf)> {
    let name =
        path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".tmp");
    Ok((folder, folder.join(temporary)))
}

fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".prev");
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("larger than {MAX_SIZE} bytes")));
    }
    Ok(bytes)
}

fn cannot_write(path: &Path, source: io::Error) -> io::Error {
    let folder = path.parent().unwrap_or(path).display();
    let remedy = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("make room on the file system of {folder}")
        }
        ErrorKind::NotFound => format!("create the folder {folder}"),
        ErrorKind::NotADirectory => format!("make {folder} a folder"),
        ErrorKind::IsADirectory => "move the folder of that name away".to_owned(),
        ErrorKind::PermissionDenied => format!("let this user write in {folder}"),
        ErrorKind::ReadOnlyFilesystem => format!("mount the file system of {folder} for writing"),
        _ => format!("check the file system of {folder}"),
    };
    explain("write", path, remedy, source)
}

fn cannot_read(path: &Path, source: io::Error) -> io::Error {
    let remedy = match source.kind() {
        ErrorKind::PermissionDenied => "let this user read it",
        ErrorKind::IsADirectory => "move the folder of that name away",
        _ => "restore it from a backup, or move it away to begin anew",
    };
    explain("read", path, remedy.to_owned(), source)
}

fn explain(action: &'static str, path: &Path, remedy: String, source: io::Error) -> io::Error {
    let kind = source.kind();
    let path = path.to_owned();
    io::Error::new(kind, FileError { action, path, remedy, source: source.into() })
}
