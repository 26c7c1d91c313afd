//! The right to serve a path: a lock beside it, held for as long as the process lives.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::UnixListener;

use super::{Access, Inode, SocketError, inode};

/// `sun_path` has 108 bytes, the last of which ends it.
const MAX_PATH: usize = 107;

/// A path and the lock that makes it ours.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    access: Access,
    lock_path: PathBuf,
    lock: File,
}

impl Claim {
    pub(super) fn new(path: PathBuf, access: Access) -> Result<Self, SocketError> {
        if path.as_os_str().as_bytes().len() > MAX_PATH {
            return Err(SocketError::PathTooLong { path, max: MAX_PATH });
        }
        create_folder(&path, access.folder)?;
        let mut lock_path = OsString::from(&path);
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = lock(&lock_path, &path)?;
        Ok(Self { path, access, lock_path, lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock again when its file was deleted or replaced, as then another process could take it.
    pub(super) fn renew(&mut self) -> Result<(), SocketError> {
        create_folder(&self.path, self.access.folder)?;
        if !is_named(&self.lock, &self.lock_path) {
            self.lock = lock(&self.lock_path, &self.path)?;
        }
        Ok(())
    }

    /// Binds the path, in the place of a socket on which nobody answers.
    pub(super) fn bind(&self) -> Result<(UnixListener, Inode), SocketError> {
        let path = &self.path;
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::NotASocket { path: path.clone() });
            }
            Ok(_) if is_answered(path) => return Err(SocketError::InUse { path: path.clone() }),
            Ok(_) => fs::remove_file(path).map_err(failed("remove the remains of", path))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at", path)(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed("bind", path))?;
        let mode = Permissions::from_mode(self.access.socket);
        fs::set_permissions(path, mode).map_err(failed("set the permissions of", path))?;
        let inode = inode(path).ok_or_else(|| failed("look at", path)(ErrorKind::NotFound.into()))?;
        Ok((listener, inode))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if is_named(&self.lock, &self.lock_path) {
            // The lock is still held, so that nobody else can believe in the file by now.
            let _ = fs::remove_file(&self.lock_path);
        }
    }
}

fn lock(lock_path: &Path, path: &Path) -> Result<File, SocketError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    loop {
        let lock = options.open(lock_path).map_err(failed("open", lock_path))?;
        match lock.try_lock() {
            Ok(()) if is_named(&lock, lock_path) => return Ok(lock),
            // Its holder removed it and ended between our two calls.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SocketError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed("lock", lock_path)(error)),
        }
    }
}

/// Whether the file at `path` is the open `file`.
fn is_named(file: &File, path: &Path) -> bool {
    let own = file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    own.is_some() && own == inode(path)
}

/// Whether a process listens on a socket; one that does not use our lock counts too. Does not wait.
fn is_answered(path: &Path) -> bool {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connected = SocketAddrUnix::new(path).and_then(|address| {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &address)
    });
    // A full queue (EAGAIN) and a denial (EACCES) are answers of the living too.
    !matches!(connected, Err(Errno::CONNREFUSED | Errno::NOENT))
}

/// Creates the folders that are missing above `path`; those that exist keep their permissions.
fn create_folder(path: &Path, mode: u32) -> Result<(), SocketError> {
    let missing = path.ancestors().skip(1).take_while(|at| !at.as_os_str().is_empty() && !at.exists());
    let missing: Vec<&Path> = missing.collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(mode).create(folder) {
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(failed("create", folder))?;
    }
    Ok(())
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> SocketError + 'a {
    move |source| SocketError::Io { action, path: path.to_owned(), source }
}
