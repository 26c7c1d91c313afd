//! What can go wrong with keys.

use std::io;
use std::path::PathBuf;

use finial_identity::{KeyError, KeyKind};

/// An error of a key manager.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The manager does not make keys of this kind.
    #[error(
        "key `{id}` cannot be made: {kind:?} is not supported here (EC P-256 and P-384, and RSA of 2048 and 4096 bits are)"
    )]
    Kind {
        /// The id of the key.
        id: String,
        /// What was asked for.
        kind: KeyKind,
    },
    /// The key could not be made, or could not sign.
    #[error("key `{id}` failed")]
    Key {
        /// The id of the key.
        id: String,
        /// Why.
        source: KeyError,
    },
    /// Others than the owner may read or write the file of keys.
    #[error("key file `{path}` has mode {mode:04o}, and others than its owner may use it: run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No generation of the file of keys can be read. No key was made and no file was changed.
    #[error(
        "{}: restore a backup, or move every generation away to begin with new keys",
        describe_damage(damaged)
    )]
    Corrupt {
        /// Each damaged file and what is wrong with it, the current generation first.
        damaged: Vec<(PathBuf, String)>,
    },
    /// The file of keys could not be read.
    #[error("key file `{}` could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of keys could not be written; the keys are as they were.
    #[error("key file `{}` could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key manager outside this process failed.
    #[error("key manager `{manager}` failed")]
    Manager {
        /// Its name.
        manager: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn describe_damage(damaged: &[(PathBuf, String)]) -> String {
    let files: Vec<_> = damaged
        .iter()
        .map(|(path, problem)| format!("key file `{}` is damaged ({problem})", path.display()))
        .collect();
    files.join(", and ")
}
