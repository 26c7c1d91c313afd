//! Stands below the flow: what the server must remember, and the copy in memory that it answers from.
//!
//! [`DataStore`] is one small trait per noun. Every change takes the next [`Revision`] in its own transaction, so that
//! the order of revisions is the order of commits, without gaps, and leaves one row in the change log.
//! An [`Index`] follows that log and publishes [`Snapshot`]s; all that an agent's call needs is read from there.

mod bundles;
mod changes;
mod datastore;
mod entries;
mod error;
mod index;
mod journal;
mod measured;
mod nodes;
mod sqlite;
mod tokens;

#[cfg(any(test, feature = "testing"))]
pub mod battery;

pub use bundles::{Bundles, Federating, StoredBundle};
pub use changes::{Change, ChangeKind, Changes, Revision};
pub use datastore::DataStore;
pub use entries::Entries;
pub use error::{Noun, StoreError};
pub use index::{Index, Snapshot, Stopped};
pub use journal::{Journal, JournalRecord};
pub use measured::Measured;
pub use nodes::{DeletedNode, Nodes};
pub use sqlite::SqliteStore;
pub use tokens::{JoinToken, Tokens};
