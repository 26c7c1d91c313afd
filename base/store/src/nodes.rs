//! Attested nodes in the store.

use async_trait::async_trait;
use finial_identity::{EntryId, Node, SpiffeId};

use crate::{Revision, StoreError};

/// What [`Nodes::delete_node`] has removed.
#[derive(Clone, Debug)]
pub struct DeletedNode {
    /// The revision after which all of it is gone.
    pub revision: Revision,
    /// The node as it was.
    pub node: Node,
    /// The aliases that the node's join token had made, and that nothing else could ever match.
    pub aliases: Vec<EntryId>,
}

/// The attested nodes of a store. Instants are kept in whole seconds.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Records an attestation: a node with this SPIFFE ID is replaced.
    ///
    /// # Errors
    /// [`StoreError::Banned`] when the stored node is banned.
    async fn create_or_replace_node(&self, node: Node) -> Result<Revision, StoreError>;

    /// Replaces `seen` by `node`, which has the same SPIFFE ID.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Banned`] when the stored node is banned;
    /// [`StoreError::Conflict`] when it is no longer as `seen`.
    async fn update_node(&self, seen: &Node, node: Node) -> Result<Revision, StoreError>;

    /// Deletes a node; if a join token made it, the aliases for it alone are deleted too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn delete_node(&self, id: &SpiffeId) -> Result<DeletedNode, StoreError>;

    /// Those of `ids` that exist, in any order.
    ///
    /// # Errors
    /// Those of the database.
    async fn nodes(&self, ids: &[SpiffeId]) -> Result<Vec<Node>, StoreError>;

    /// The first nodes by SPIFFE ID, after `after`, at most `limit` of them.
    ///
    /// # Errors
    /// Those of the database.
    async fn scan_nodes(&self, after: Option<&SpiffeId>, limit: u32) -> Result<Vec<Node>, StoreError>;
}
