//! Each name is a file, and each file is replaced by a rename of its own.
//!
//! All files are ready and on the disk before the first is renamed, so that a disk that is full, or a process that is
//! killed while it writes, leaves the old ones. Between the renames a reader may see files of two updates; their order
//! is such that it is hurt least ([`Turn`](crate::render::Turn)).

use std::os::fd::BorrowedFd;

use super::write::{Owner, check_replaceable, create, remove, rename, sync, temporary};
use super::{Fault, Shelf, generations};
use crate::render::Rendered;

/// Puts everything in its place.
pub(super) fn put(folder: BorrowedFd<'_>, shelf: &Shelf, owner: Owner) -> Result<(), Fault> {
    let mut files = shelf.files.iter().collect::<Vec<_>>();
    files.sort_by_key(|file| file.turn);
    files.iter().try_for_each(|file| check_replaceable(folder, file.name.as_str()))?;
    let put = prepare(folder, &files, owner).and_then(|()| replace(folder, &files));
    if put.is_err() {
        // The first error is the one to tell.
        files.iter().for_each(|file| drop(remove(folder, &temporary(file.name.as_str()))));
    }
    put?;
    sync(folder)?;
    generations::give_up(folder, shelf);
    Ok(())
}

fn prepare(folder: BorrowedFd<'_>, files: &[&Rendered], owner: Owner) -> Result<(), Fault> {
    files.iter().try_for_each(|file| create(folder, &temporary(file.name.as_str()), file, owner))
}

fn replace(folder: BorrowedFd<'_>, files: &[&Rendered]) -> Result<(), Fault> {
    files.iter().try_for_each(|file| rename(folder, &temporary(file.name.as_str()), file.name.as_str()))
}
