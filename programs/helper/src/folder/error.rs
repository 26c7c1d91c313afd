//! What can go wrong with the folder, each with the path at fault and the remedy.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Files could not be put into the folder. What stood there goes on standing there.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another helper works there.
    #[error(
        "{} is the folder of another helper (process {holder}): give each helper a folder of its own, or let one helper write all files",
        path.display()
    )]
    Taken {
        /// The folder.
        path: PathBuf,
        /// The process, as it says of itself.
        holder: String,
    },
    /// The system refused.
    #[error("cannot {action} {}: {remedy}", shown(path))]
    System {
        /// What was tried.
        action: &'static str,
        /// The path at fault.
        path: PathBuf,
        /// What would help.
        remedy: String,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// On one line: what else stands in the folder may have any name.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    OpenFolder,
    Lock,
    Read,
    Write,
    /// Giving a file to an owner or a group.
    Give,
    Replace,
    Remove,
}

/// An error that does not know yet in which folder it happened.
#[derive(Debug)]
pub(super) struct Fault {
    action: Action,
    name: String,
    cause: io::Error,
}

impl Fault {
    /// `name` is below the folder; empty for the folder itself.
    pub(super) fn new(action: Action, name: &str, errno: Errno) -> Self {
        Self::caused(action, name, errno.into())
    }

    pub(super) fn caused(action: Action, name: &str, cause: io::Error) -> Self {
        Self { action, name: name.to_owned(), cause }
    }

    pub(super) fn at(self, folder: &Path) -> FolderError {
        let Self { action, name, cause } = self;
        let path = if name.is_empty() { folder.to_owned() } else { folder.join(&name) };
        let remedy = remedy(action, folder, &cause);
        FolderError::System { action: action.verb(), path, remedy, cause }
    }
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::OpenFolder => "open the folder",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::Give => "give away",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

fn remedy(action: Action, folder: &Path, cause: &io::Error) -> String {
    let folder = folder.display();
    match cause.kind() {
        ErrorKind::NotFound => format!("create the folder {folder}"),
        ErrorKind::NotADirectory => format!("make {folder} a folder"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("make room on the file system of {folder}")
        }
        ErrorKind::ReadOnlyFilesystem => format!("mount the file system of {folder} for writing"),
        ErrorKind::PermissionDenied if action == Action::Give => {
            "only root gives files to other users: run the helper as root, or leave `owner` out and name a \
             `group` that the helper belongs to"
                .to_owned()
        }
        ErrorKind::PermissionDenied => format!("let the user of the helper write in {folder}"),
        ErrorKind::IsADirectory | ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => {
            "a folder has that name: move it away".to_owned()
        }
        ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => {
            format!("it is a mount of its own: mount the folder {folder} instead of files in it")
        }
        _ => format!("check the file system of {folder}"),
    }
}
