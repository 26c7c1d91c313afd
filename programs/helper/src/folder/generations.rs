//! Each name is a link into a folder that holds one generation, and one rename switches all of them.
//!
//! ```text
//! svid.pem ──→ ..data/svid.pem        ..data ──→ ..42        ..42/svid.pem, ..42/svid_key.pem, …
//! svid_key.pem ──→ ..data/svid_key.pem                       ..41/…  (the one before)
//! ```
//!
//! So do volumes of Kubernetes, whose watchers know it. Who opens `..data` once and reads from there has files of one
//! update whatever happens meanwhile; the one before is kept for as long.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::{Action, Fault};
use super::write::{Owner, check_replaceable, create, names, remove, rename, sync, temporary};
use super::{Awaited, Shelf};

/// The link that is switched.
const CURRENT: &str = "..data";
/// Where it is made ready.
const NEXT: &str = "..data.tmp";
/// Who may look into a generation is decided by the folder that it is in.
const FOLDER_MODE: u32 = 0o755;

/// Puts everything in its place.
pub(super) fn put(folder: BorrowedFd<'_>, shelf: &Shelf, owner: Owner) -> Result<(), Fault> {
    shelf.files.iter().try_for_each(|file| check_replaceable(folder, file.name.as_str()))?;
    let mut found = Found::look(folder)?;
    if found.current.is_none() {
        found.take_over(folder, shelf)?;
    }
    let next = found.next();
    let written =
        fill(folder, &next, found.current.as_deref(), shelf, owner).and_then(|()| switch(folder, &next));
    if let Err(fault) = written {
        // The first error is the one to tell.
        let _ = remove_generation(folder, &next);
        return Err(fault);
    }
    sync(folder)?;
    shelf.files.iter().try_for_each(|file| point(folder, file.name.as_str()))?;
    found.clean(folder, &next);
    sync(folder)
}

/// What is in the folder.
struct Found {
    /// The generation that the names lead to.
    current: Option<String>,
    generations: Vec<u64>,
    /// The names that are links through `..data`.
    links: Vec<String>,
}

impl Found {
    fn look(folder: BorrowedFd<'_>) -> Result<Self, Fault> {
        let mut found = Self { current: None, generations: Vec::new(), links: Vec::new() };
        for name in names(folder)? {
            if let Some(number) = number(&name) {
                found.generations.push(number);
            } else if target(folder, &name).is_some_and(|target| target == through_current(&name)) {
                found.links.push(name);
            }
        }
        // A link to what is no generation of ours is none.
        found.current = target(folder, CURRENT)
            .filter(|name| number(name).is_some_and(|number| found.generations.contains(&number)));
        Ok(found)
    }

    /// The number after the newest; or, should somebody have used the last there is, one that is free.
    fn next(&self) -> String {
        let newest = self.generations.iter().max().copied().unwrap_or_default();
        let is_free = |number: &u64| !self.generations.contains(number);
        let next = newest.checked_add(1).or_else(|| (1..=u64::MAX).find(is_free)).unwrap_or_default();
        format!("..{next}")
    }

    /// Makes a first generation of the files that stand there, so that even they are replaced in one step.
    fn take_over(&mut self, folder: BorrowedFd<'_>, shelf: &Shelf) -> Result<(), Fault> {
        let names = shelf.files.iter().map(|file| file.name.as_str());
        let names = names.chain(shelf.awaited.names.iter().map(|name| name.as_str()));
        let is_file = |name: &str| {
            let found = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
            found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file())
        };
        let standing = names.filter(|name| is_file(name)).collect::<Vec<_>>();
        if standing.is_empty() {
            return Ok(());
        }
        let first = self.next();
        let made = make(folder, &first)?;
        for name in &standing {
            // One that may not be linked to is replaced by itself, as if it were alone.
            let _ = fs::linkat(folder, *name, &made, *name, AtFlags::empty());
        }
        switch(folder, &first)?;
        for name in standing.iter().filter(|name| fs::statat(&made, **name, AtFlags::empty()).is_ok()) {
            point(folder, name)?;
            self.links.push((*name).to_owned());
        }
        self.generations.extend(number(&first));
        self.current = Some(first);
        Ok(())
    }

    /// Removes what no name leads to any more: links to files that are gone, generations before the previous one, and
    /// what a crash has left. What cannot be removed does no harm, and is tried again next time.
    fn clean(&self, folder: BorrowedFd<'_>, newest: &str) {
        let gone = |name: &str| {
            let found = fs::statat(folder, format!("{newest}/{name}"), AtFlags::SYMLINK_NOFOLLOW);
            matches!(found, Err(Errno::NOENT))
        };
        for name in self.links.iter().filter(|name| gone(name)) {
            warn_of(remove(folder, name));
        }
        let kept = self.current.as_deref().and_then(number);
        for number in self.generations.iter().filter(|number| Some(**number) != kept) {
            warn_of(remove_generation(folder, &format!("..{number}")));
        }
    }
}

/// For a plain layout, in whose place there were generations: nothing leads to them any more.
pub(super) fn give_up(folder: BorrowedFd<'_>, shelf: &Shelf) {
    let Ok(found) = Found::look(folder) else { return };
    let is_awaited = |name: &String| shelf.awaited.contains(name);
    if found.links.iter().any(is_awaited) {
        return;
    }
    for name in found.links.iter().map(String::as_str).chain(found.current.as_ref().map(|_| CURRENT)) {
        warn_of(remove(folder, name));
    }
    for number in found.generations {
        warn_of(remove_generation(folder, &format!("..{number}")));
    }
}

/// Writes a generation, flushes it to the disk, and takes what is still awaited from the one before.
fn fill(
    folder: BorrowedFd<'_>,
    next: &str,
    current: Option<&str>,
    shelf: &Shelf,
    owner: Owner,
) -> Result<(), Fault> {
    let made = make(folder, next)?;
    for file in &shelf.files {
        create(made.as_fd(), file.name.as_str(), file, owner)?;
    }
    if let Some(current) = current {
        keep_awaited(folder, made.as_fd(), current, &shelf.awaited)?;
    }
    sync(made.as_fd())
}

fn keep_awaited(
    folder: BorrowedFd<'_>,
    made: BorrowedFd<'_>,
    current: &str,
    awaited: &Awaited,
) -> Result<(), Fault> {
    let before = open(folder, current)?;
    for name in names(before.as_fd())?.iter().filter(|name| awaited.contains(name)) {
        let kept = fs::linkat(&before, name, made, name, AtFlags::empty());
        kept.map_err(|errno| Fault::new(Action::Write, name, errno))?;
    }
    Ok(())
}

/// The one step by which all names lead to another generation.
fn switch(folder: BorrowedFd<'_>, generation: &str) -> Result<(), Fault> {
    link(folder, generation, NEXT, CURRENT)
}

/// Lets a name lead through the link that is switched, whatever it was before.
fn point(folder: BorrowedFd<'_>, name: &str) -> Result<(), Fault> {
    let through = through_current(name);
    if target(folder, name).is_some_and(|target| target == through) {
        return Ok(());
    }
    link(folder, &through, &temporary(name), name)
}

fn link(folder: BorrowedFd<'_>, target: &str, temporary: &str, name: &str) -> Result<(), Fault> {
    remove(folder, temporary)?;
    fs::symlinkat(target, folder, temporary).map_err(|errno| Fault::new(Action::Write, name, errno))?;
    rename(folder, temporary, name).inspect_err(|_| drop(remove(folder, temporary)))
}

fn make(folder: BorrowedFd<'_>, generation: &str) -> Result<OwnedFd, Fault> {
    let mode = Mode::from_raw_mode(FOLDER_MODE);
    fs::mkdirat(folder, generation, mode).map_err(|errno| Fault::new(Action::Write, generation, errno))?;
    let made = open(folder, generation)?;
    fs::fchmod(&made, mode).map_err(|errno| Fault::new(Action::Write, generation, errno))?;
    Ok(made)
}

fn open(folder: BorrowedFd<'_>, generation: &str) -> Result<OwnedFd, Fault> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = fs::openat(folder, generation, flags, Mode::empty());
    opened.map_err(|errno| Fault::new(Action::Read, generation, errno))
}

fn remove_generation(folder: BorrowedFd<'_>, generation: &str) -> Result<(), Fault> {
    let opened = open(folder, generation)?;
    names(opened.as_fd())?.iter().try_for_each(|name| remove(opened.as_fd(), name))?;
    let removed = fs::unlinkat(folder, generation, AtFlags::REMOVEDIR);
    removed.map_err(|errno| Fault::new(Action::Remove, generation, errno))
}

/// Of a generation: `..42`.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("..")?;
    let number = digits.parse().ok()?;
    (format!("..{number}") == name).then_some(number)
}

fn target(folder: BorrowedFd<'_>, name: &str) -> Option<String> {
    fs::readlinkat(folder, name, Vec::new()).ok()?.into_string().ok()
}

fn through_current(name: &str) -> String {
    format!("{CURRENT}/{name}")
}

fn warn_of(removed: Result<(), Fault>) {
    if let Err(fault) = removed {
        tracing::warn!(?fault, "what is not needed any more could not be removed");
    }
}
