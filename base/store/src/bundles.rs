//! Bundles in the store: one's own, and those of federated trust domains.

use async_trait::async_trait;
use finial_identity::{Bundle, TrustDomain};

use crate::{Revision, StoreError};

/// Where a bundle was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBundle {
    /// The revision of the store that holds it.
    pub revision: Revision,
    /// The sequence number that it has now.
    pub sequence_number: u64,
}

/// What becomes of the entries that federate with a bundle that is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Federating {
    /// They stay, and so does the bundle.
    Keep,
    /// They are deleted too.
    Delete,
    /// They federate with it no longer, which makes each a new revision of itself.
    Dissociate,
}

/// The bundles of a store. The store counts the sequence number: 1 for the first content, one more for each other
/// content; writing the same content again changes nothing. Instants and spans are kept in whole seconds.
#[async_trait]
pub trait Bundles: Send + Sync {
    /// Stores a bundle, whatever was there before; its own sequence number is passed over.
    ///
    /// # Errors
    /// Those of the database.
    async fn put_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError>;

    /// Stores a bundle if the stored one still has the sequence number that `bundle` carries (0: there is none), so
    /// that two owners cannot undo each other's changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has another one.
    async fn replace_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError>;

    /// Deletes the bundle of a trust domain, and in the same transaction does to the entries that federate with it what
    /// is asked. The revision is that after which all of it is done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Federated`] when entries federate with it and are to be kept as they are.
    async fn delete_bundle(
        &self,
        trust_domain: &TrustDomain,
        federating: Federating,
    ) -> Result<Revision, StoreError>;

    /// The stored bundle of a trust domain.
    ///
    /// # Errors
    /// Those of the database.
    async fn bundle(&self, trust_domain: &TrustDomain) -> Result<Option<Bundle>, StoreError>;

    /// All bundles.
    ///
    /// # Errors
    /// Those of the database.
    async fn bundles(&self) -> Result<Vec<Bundle>, StoreError>;
}
