//! Why a helper does not start, or ends.

use std::io;
use std::path::PathBuf;

use finial_daemon::hcl::HclError;

use crate::{DeliverError, FolderError};

/// A helper could not be built, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The configuration file cannot be read.
    #[error("unable to read configuration file {}", path.display())]
    ReadConfiguration {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] HclError),
    /// Nobody has the name to which files are to be given.
    #[error("no {kind} is called `{}`: create it, or give its number", name.escape_debug())]
    NoPrincipal {
        /// Whether a user or a group.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Users or groups could not be looked up.
    #[error("cannot look up the {kind} `{}`", name.escape_debug())]
    LookUp {
        /// Whether a user or a group.
        kind: &'static str,
        /// The name.
        name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Health cannot be served.
    #[error("cannot serve health_checks: choose another bind_port, or end who has it")]
    Health(#[source] io::Error),
    /// Those who are told cannot be begun with.
    #[error("cannot start commands and hooks")]
    Hooks(#[source] io::Error),
    /// There is nothing more to wait for.
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    /// A part of the helper has failed, which ends it.
    #[error("the task {0} has panicked: see the log")]
    Panicked(&'static str),
}
