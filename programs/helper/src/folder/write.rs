//! Writing one file so that it is whole, on the disk, and its reader's, before it has a name that anybody reads.

use std::fs::File;
use std::io::Write;
use std::os::fd::BorrowedFd;

use rustix::fs::{self, AtFlags, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::error::{Action, Fault};
use crate::render::Rendered;

/// To whom files are given; numbers, as the system knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

/// Creates `name` in a folder, with its permissions whatever the umask, and flushes it to the disk. A file of that
/// name, which a crash has left, is removed first.
pub(super) fn create(folder: BorrowedFd<'_>, name: &str, file: &Rendered, owner: Owner) -> Result<(), Fault> {
    remove(folder, name)?;
    let refused = |errno| Fault::new(Action::Write, file.name.as_str(), errno);
    let failed = |cause| Fault::caused(Action::Write, file.name.as_str(), cause);
    // Nobody reads it before it was given to whom it is for.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = fs::openat(folder, name, flags, Mode::from_raw_mode(0o600)).map_err(refused)?;
    let mut opened = File::from(opened);
    opened.write_all(&file.bytes).map_err(failed)?;
    if owner != Owner::default() {
        let (user, group) = (owner.user.map(Uid::from_raw), owner.group.map(Gid::from_raw));
        let given = fs::fchown(&opened, user, group);
        given.map_err(|errno| Fault::new(Action::Give, file.name.as_str(), errno))?;
    }
    // After it was given away, which takes bits off.
    fs::fchmod(&opened, Mode::from_raw_mode(file.mode.bits())).map_err(refused)?;
    opened.sync_all().map_err(failed)
}

/// Removes a file or a link, if there is one.
pub(super) fn remove(folder: BorrowedFd<'_>, name: &str) -> Result<(), Fault> {
    match fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Fault::new(Action::Remove, name, errno)),
    }
}

/// Puts `from` in the place of `to`, in one step.
pub(super) fn rename(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<(), Fault> {
    fs::renameat(folder, from, folder, to).map_err(|errno| Fault::new(Action::Replace, to, errno))
}

/// Lets a crash find the names of a folder as they are now.
pub(super) fn sync(folder: BorrowedFd<'_>) -> Result<(), Fault> {
    fs::fsync(folder).map_err(|errno| Fault::new(Action::Write, "", errno))
}

/// All names in a folder.
pub(super) fn names(folder: BorrowedFd<'_>) -> Result<Vec<String>, Fault> {
    let failed = |errno| Fault::new(Action::Read, "", errno);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        // A name that is no UTF-8 is none of ours.
        names.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
    }
    names.retain(|name| name != "." && name != "..");
    Ok(names)
}

/// The name under which a file is made ready.
pub(super) fn temporary(name: &str) -> String {
    format!("..{name}.tmp")
}

/// Removes what a process that was killed has left half-way. Only for whoever has the lock.
pub(super) fn sweep(folder: BorrowedFd<'_>) -> Result<(), Fault> {
    let left = names(folder)?.into_iter().filter(|name| name.starts_with("..") && name.ends_with(".tmp"));
    left.into_iter().try_for_each(|name| remove(folder, &name))
}

/// Refuses before anything is written what a rename could not replace.
pub(super) fn check_replaceable(folder: BorrowedFd<'_>, name: &str) -> Result<(), Fault> {
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if fs::FileType::from_raw_mode(found.st_mode).is_dir() => {
            Err(Fault::new(Action::Replace, name, Errno::ISDIR))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Fault::new(Action::Read, name, errno)),
    }
}
