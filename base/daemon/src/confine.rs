//! Confining this process by Landlock: from then on it reaches the files and TCP ports that it said it needs, no others.

mod links;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

pub use self::reach::Reach;

/// The newest version of Landlock that this was tried with; older kernels enforce the part of it that they know.
const TRIED: ABI = ABI::V7;

/// What a process needs of its machine. Nothing may be executed, and no process outside be signalled, whatever is
/// allowed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    read: BTreeSet<PathBuf>,
    write: BTreeSet<PathBuf>,
    /// `None` allows every port.
    ports: Option<Ports>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ports {
    bind: BTreeSet<u16>,
    connect: BTreeSet<u16>,
}

/// How much of a confinement the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// All of it.
    Fully,
    /// What it knows of.
    Partly,
    /// Nothing: it has no Landlock.
    Not,
}

/// A process that goes on unconfined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Threads run already, which would stay free.
    #[error("{count} threads run already, which would stay unconfined")]
    Threads {
        /// How many, with the one that asks.
        count: usize,
    },
    /// The kernel refused.
    #[error("the kernel refuses")]
    Kernel(#[from] RulesetError),
}

impl Confinement {
    /// Allows nothing yet.
    pub fn new() -> Self {
        Self { ports: Some(Ports::default()), ..Self::default() }
    }

    /// Allows to read a file, or a folder and all that is in it now and later. One that is not there adds nothing.
    pub fn read(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.read.insert(path.into());
        self
    }

    /// Allows to read a file that is replaced while the process runs: whatever takes its place in its folder, and where
    /// the links on its path may lead next. A link to a neighbour, such as Kubernetes's `..data`, may lead to any other
    /// neighbour.
    pub fn read_replaced(&mut self, file: &Path) -> &mut Self {
        self.read.extend(links::folders(file));
        self
    }

    /// Allows to make, change and remove files and sockets in a folder, and all that is in it. In the place of a folder
    /// that is not there yet stands the next above it that is.
    pub fn write(&mut self, folder: &Path) -> &mut Self {
        let there = folder.ancestors().find(|folder| folder.is_dir());
        // A relative path without a folder in front is in the current one.
        self.write.insert(there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(".")).into());
        self
    }

    /// Allows to listen on a TCP port; 0 is any port that the kernel chooses.
    pub fn bind(&mut self, port: u16) -> &mut Self {
        if let Some(ports) = &mut self.ports {
            ports.bind.insert(port);
        }
        self
    }

    /// Allows to connect to a TCP port, of any machine.
    pub fn connect(&mut self, port: u16) -> &mut Self {
        if let Some(ports) = &mut self.ports {
            ports.connect.insert(port);
        }
        self
    }

    /// Allows every TCP port: for a process that cannot know them beforehand.
    pub fn every_port(&mut self) -> &mut Self {
        self.ports = None;
        self
    }

    /// Enforces it on this thread and on those that it starts, for ever. To be called while there is no other, before a
    /// runtime is built. Also forbids to gain privileges by executing (`no_new_privs`).
    ///
    /// # Errors
    /// [`ConfineError`]; then nothing is enforced.
    pub fn enforce(self) -> Result<Enforced, ConfineError> {
        // Where there is no `/proc` nothing is known of threads.
        let count = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        if count > 1 {
            return Err(ConfineError::Threads { count });
        }
        Ok(self.restrict_thread()?)
    }

    fn restrict_thread(self) -> Result<Enforced, RulesetError> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let mut ruleset =
            Ruleset::default().handle_access(AccessFs::from_all(TRIED))?.scope(Scope::Signal)?;
        if self.ports.is_some() {
            ruleset = ruleset.handle_access(AccessNet::from_all(TRIED))?;
        }
        let ports = self.ports.unwrap_or_default();
        let port = |access: AccessNet| move |port: u16| Ok::<_, RulesetError>(NetPort::new(port, access));
        let status = ruleset
            .create()?
            .add_rules(path_beneath_rules(self.read, read))?
            .add_rules(path_beneath_rules(self.write, read | changes()))?
            .add_rules(ports.bind.into_iter().map(port(AccessNet::BindTcp)))?
            .add_rules(ports.connect.into_iter().map(port(AccessNet::ConnectTcp)))?
            .restrict_self()?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Enforced::Fully,
            RulesetStatus::PartiallyEnforced => Enforced::Partly,
            RulesetStatus::NotEnforced => Enforced::Not,
        })
    }
}

/// What a program does in a folder of its own. No devices, no pipes, no links.
fn changes() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeSock
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
}
