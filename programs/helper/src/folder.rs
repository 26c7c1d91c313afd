//! The folder of the files, held open and locked: everything happens in it even if another comes to have its name.

mod error;
mod generations;
mod plain;
#[cfg(test)]
mod tests;
mod write;

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use self::error::FolderError;
use self::error::{Action, Fault};
pub(crate) use self::write::Owner;
use crate::render::Rendered;
use crate::{FileName, Layout};

/// The file that says that a helper works in the folder, and which.
const LOCK: &str = "..lock";

/// Puts files into one folder, in one layout. Waits for the disk.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    layout: Layout,
    owner: Owner,
    held: Held,
}

/// The folder itself, for as long as it has its name.
#[derive(Debug)]
struct Held {
    folder: OwnedFd,
    inode: Inode,
    /// Locked until it is closed, which the system does too when the process ends in whatever way.
    _lock: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

/// What is to stand in the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    /// What was received.
    pub(crate) files: Vec<Rendered>,
    /// The names of what was not received yet: what stands there of an earlier run goes on standing there.
    pub(crate) awaited: Awaited,
}

/// Which names of the folder are still waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) names: Vec<FileName>,
    /// Those of the draft's folder too, which depend on what is received.
    pub(crate) credential_folder: bool,
}

impl Folder {
    /// Opens the folder and locks it.
    ///
    /// # Errors
    /// [`FolderError`] when it is missing, no folder, not to be written in, or another helper's.
    pub(crate) fn open(path: &Path, layout: Layout, owner: Owner) -> Result<Self, FolderError> {
        Ok(Self { path: path.to_owned(), layout, owner, held: Held::open(path)? })
    }

    /// Puts everything in its place. What stood there is untouched when it fails, but for a plain layout in which
    /// a rename fails after others.
    ///
    /// # Errors
    /// [`FolderError`], with the path at fault and the remedy.
    pub(crate) fn put(&mut self, shelf: &Shelf) -> Result<(), FolderError> {
        if !self.is_in_place() {
            // Locks what has the name now, before it lets go of what had it.
            self.held = Held::open(&self.path)?;
        }
        let put = match self.layout {
            Layout::Generations | Layout::SpiffeDraft => generations::put(self.fd(), shelf, self.owner),
            Layout::Plain => plain::put(self.fd(), shelf, self.owner),
        };
        put.map_err(|fault| fault.at(&self.path))
    }

    /// Whether the files stand where they were put: nobody has taken the folder away, or the names in it.
    pub(crate) fn is_standing(&self, shelf: &Shelf) -> bool {
        let stands = |file: &Rendered| fs::statat(self.fd(), file.name.as_str(), AtFlags::empty()).is_ok();
        self.is_in_place() && shelf.files.iter().all(stands)
    }

    fn is_in_place(&self) -> bool {
        fs::stat(&self.path).is_ok_and(|found| Inode::of(&found) == self.held.inode)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.held.folder.as_fd()
    }
}

impl Held {
    fn open(path: &Path) -> Result<Self, FolderError> {
        let fail = |errno: Errno| Fault::new(Action::OpenFolder, "", errno).at(path);
        let folder = fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let folder = folder.map_err(fail)?;
        let inode = Inode::of(&fs::fstat(&folder).map_err(fail)?);
        let lock = lock(folder.as_fd(), path)?;
        write::sweep(folder.as_fd()).map_err(|fault| fault.at(path))?;
        Ok(Self { folder, inode, _lock: lock })
    }
}

fn lock(folder: BorrowedFd<'_>, path: &Path) -> Result<File, FolderError> {
    let refused = |errno| Fault::new(Action::Lock, LOCK, errno).at(path);
    // Who holds it open for writing keeps others from mounting the file system read-only.
    let mut file = open_lock(folder, OFlags::RDONLY).map_err(refused)?;
    let mut locked = file.try_lock();
    if matches!(&locked, Err(TryLockError::Error(error)) if error.raw_os_error() == Some(Errno::BADF.raw_os_error()))
    {
        // NFS takes no other.
        file = open_lock(folder, OFlags::RDWR).map_err(refused)?;
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who it is only helps to find it.
            let _ = file.take(20).read_to_string(&mut holder);
            let holder = holder.trim().escape_debug().to_string();
            return Err(FolderError::Taken { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(cause)) => return Err(Fault::caused(Action::Lock, LOCK, cause).at(path)),
    }
    let mut signed = open_lock(folder, OFlags::WRONLY | OFlags::TRUNC).map_err(refused)?;
    // Says who holds it, to whoever is refused.
    let signed = writeln!(signed, "{}", std::process::id());
    signed.map_err(|cause| Fault::caused(Action::Lock, LOCK, cause).at(path))?;
    Ok(file)
}

fn open_lock(folder: BorrowedFd<'_>, access: OFlags) -> Result<File, Errno> {
    let flags = access | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    fs::openat(folder, LOCK, flags, Mode::from_raw_mode(0o600)).map(File::from)
}

impl Inode {
    #[expect(clippy::useless_conversion, reason = "the width depends on the processor")]
    fn of(found: &Stat) -> Self {
        Self(u64::from(found.st_dev), u64::from(found.st_ino))
    }
}

impl Awaited {
    fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|awaited| awaited.as_str() == name)
            || (self.credential_folder && crate::render::is_of_credential_folder(name))
    }
}

/// Puts files into a folder as a helper does that starts there, in a layout of generations or in the plain one. For
/// tests of other crates.
///
/// # Errors
/// As a helper refuses to start or to deliver.
///
/// # Panics
/// When a name is none that the configuration takes.
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, reason = "a test that gives no name has to fail")]
pub fn put_files(path: &Path, is_plain: bool, files: &[(&str, &str)]) -> Result<(), FolderError> {
    use crate::render::Turn;
    use crate::{FileName, Mode};

    let layout = if is_plain { Layout::Plain } else { Layout::Generations };
    let rendered = |(name, bytes): &(&str, &str)| Rendered {
        name: FileName::parse(name).expect("the name of a file"),
        mode: Mode::SECRET,
        turn: Turn::Whole,
        bytes: zeroize::Zeroizing::new(bytes.as_bytes().to_vec()),
    };
    let shelf = Shelf { files: files.iter().map(rendered).collect(), awaited: Awaited::default() };
    Folder::open(path, layout, Owner::default())?.put(&shelf)
}
