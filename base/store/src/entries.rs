//! Registration entries in the store.

use async_trait::async_trait;
use finial_identity::{Entry, EntryId};

use crate::{Revision, StoreError};

/// The entries of a store. Instants and spans are kept in whole seconds.
#[async_trait]
pub trait Entries: Send + Sync {
    /// Adds entries in one transaction, and says of each, in order, at which revision or why not: one that is refused
    /// keeps out no other.
    ///
    /// Refused are, by [`StoreError::Duplicate`], an entry whose id is taken, or when another has the same SPIFFE ID, parent and
    /// selectors; by [`StoreError::NoBundle`] one that federates with a trust domain whose bundle is unknown.
    ///
    /// # Errors
    /// Those of the database: then none was added.
    async fn create_entries(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<Revision, StoreError>>, StoreError>;

    /// Adds one entry.
    ///
    /// # Errors
    /// Why it was refused, see [`create_entries`](Self::create_entries), and those of the database.
    async fn create_entry(&self, entry: Entry) -> Result<Revision, StoreError> {
        self.create_entries(vec![entry]).await?.pop().unwrap_or(Err(StoreError::Closed))
    }

    /// Replaces the entry that has this id and `entry.revision_number`, and counts that number up by one.
    /// What was created when stays as it is stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the stored entry has another revision number;
    /// [`StoreError::Duplicate`] and [`StoreError::NoBundle`] as for [`create_entry`](Self::create_entry).
    async fn update_entry(&self, entry: Entry) -> Result<Revision, StoreError>;

    /// Deletes an entry.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn delete_entry(&self, id: &EntryId) -> Result<Revision, StoreError>;

    /// Those of `ids` that exist, in any order.
    ///
    /// # Errors
    /// Those of the database.
    async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, StoreError>;

    /// The first entries by id, after `after`, at most `limit` of them.
    ///
    /// # Errors
    /// Those of the database.
    async fn scan_entries(&self, after: Option<&EntryId>, limit: u32) -> Result<Vec<Entry>, StoreError>;
}
