//! What a confined process can still reach, so that it can say beforehand what it cannot.

use std::path::{Path, PathBuf};

use super::Confinement;

/// The files and folders that a [`Confinement`] allows, by the paths that they have on this machine.
#[derive(Clone, Debug)]
pub struct Reach {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

impl Confinement {
    /// What it allows as the machine is now. To be asked just before it is [enforced](Self::enforce): what is not there
    /// by then stays out of reach.
    pub fn reach(&self) -> Reach {
        let there = |path: &PathBuf| path.canonicalize().ok();
        Reach {
            read: self.read.iter().filter_map(there).collect(),
            write: self.write.iter().filter_map(there).collect(),
        }
    }
}

impl Reach {
    /// The first file or folder that `needs` would allow and that lies outside. TCP ports are not looked at.
    pub fn lacks<'a>(&self, needs: &'a Confinement) -> Option<&'a Path> {
        let within = |path: &Path, allowed: &[PathBuf]| {
            let there = path.ancestors().find_map(|above| above.canonicalize().ok());
            there.is_some_and(|path| allowed.iter().any(|folder| path.starts_with(folder)))
        };
        let written = needs.write.iter().find(|path| !within(path, &self.write));
        let mut read = needs.read.iter();
        let read = || read.find(|path| !within(path, &self.read) && !within(path, &self.write));
        written.or_else(read).map(PathBuf::as_path)
    }
}
