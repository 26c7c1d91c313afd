//! What can go wrong in a store, by what a caller would do about it.

use std::fmt;
use std::path::PathBuf;

use crate::Revision;

/// The kinds of things that a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A registration entry, named by its id.
    Entry,
    /// An attested node, named by its SPIFFE ID.
    Node,
    /// A bundle, named by its trust domain.
    Bundle,
    /// A join token; never named.
    Token,
    /// The journal of the authorities; there is one.
    Journal,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entry => "entry",
            Self::Node => "node",
            Self::Bundle => "bundle",
            Self::Token => "join token",
            Self::Journal => "journal",
        })
    }
}

/// An error of a datastore. A change that fails has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing has this name.
    #[error("{noun} `{key}` does not exist")]
    NotFound {
        /// What was looked for.
        noun: Noun,
        /// Its name.
        key: String,
    },
    /// There is one already.
    #[error("{noun} `{existing}` exists already")]
    Duplicate {
        /// What exists.
        noun: Noun,
        /// The name of the existing one: for an entry, of the one with the same id, or else with the same SPIFFE ID,
        /// parent and selectors. Empty for a token.
        existing: String,
    },
    /// It is no longer what the caller had seen: read it again, and decide again.
    #[error("{noun} `{key}` has changed in the meantime")]
    Conflict {
        /// What has changed.
        noun: Noun,
        /// Its name.
        key: String,
    },
    /// The node is banned, and stays so until it is deleted.
    #[error("node `{node}` is banned: delete it first")]
    Banned {
        /// The SPIFFE ID of the node.
        node: String,
    },
    /// The entry federates with a trust domain that has no bundle here.
    #[error("trust domain `{trust_domain}` has no bundle to federate with: set its bundle first")]
    NoBundle {
        /// The name of the trust domain.
        trust_domain: String,
    },
    /// The bundle is still named by entries.
    #[error("bundle `{trust_domain}` is federated with by {entries} entries")]
    Federated {
        /// The name of the trust domain.
        trust_domain: String,
        /// How many entries federate with it.
        entries: u64,
    },
    /// The log no longer reaches back to that revision: read everything again.
    #[error("the change log begins after revision {after}")]
    Pruned {
        /// The revision that was asked for.
        after: Revision,
    },
    /// The store is older than its reader: a copy that lags, or a backup that was put back.
    #[error("the datastore is at revision {newest}, behind the {after} that was read before")]
    Behind {
        /// The revision that was asked for.
        after: Revision,
        /// The newest one there.
        newest: Revision,
    },
    /// The disk, or what the store may use of it, is full. What was stored before is intact.
    #[error("the datastore is full: make room on its disk")]
    Full {
        /// The database's own words.
        source: Cause,
    },
    /// The store cannot be reached or does not answer now; the same call may succeed later.
    #[error("the datastore is unavailable")]
    Unavailable {
        /// The database's own words.
        source: Cause,
    },
    /// What is stored is damaged, or was not written by us.
    #[error("the datastore is damaged at {place}: restore it from a backup")]
    Corrupt {
        /// The file, or the row.
        place: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// What is stored was written by another program, or by a version of this one that knows more.
    #[error(
        "`{place}` is not a datastore of this version: name another file, or run the version that wrote it"
    )]
    Schema {
        /// The file.
        place: String,
        /// What is not known.
        source: Cause,
    },
    /// Another process holds the file.
    #[error("datastore `{}` is in use by another process: one SQLite file serves one server; several servers share a PostgreSQL database", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The store is closing; nothing was changed.
    #[error("the datastore is closed")]
    Closed,
}

/// A cause, whichever database it comes from.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;
