//! The journal of the authorities: one record of bytes that the store does not read.

use async_trait::async_trait;

use crate::{Revision, StoreError};

/// A journal as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRecord {
    /// Counts the writes of the journal, from 1; not the revision of the store.
    pub revision: Revision,
    /// What was written.
    pub bytes: Vec<u8>,
}

/// The journal in the store, and the generation before it to fall back to.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The journal as last written.
    ///
    /// # Errors
    /// Those of the database.
    async fn journal(&self) -> Result<Option<JournalRecord>, StoreError>;

    /// The journal as it was before the last write.
    ///
    /// # Errors
    /// Those of the database.
    async fn previous_journal(&self) -> Result<Option<JournalRecord>, StoreError>;

    /// Writes the journal if it still has the revision `expected` (`None`: if there is none), and returns its new one.
    /// The journal as it was becomes the previous one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has another revision.
    async fn put_journal(&self, bytes: Vec<u8>, expected: Option<Revision>) -> Result<Revision, StoreError>;
}
