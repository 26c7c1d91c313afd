//! The seam: what a key manager does, and what a key that it holds can do.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{KeyKind, PrivateKey, PublicKey};

use crate::KeysError;

/// Holds private keys under ids that outlive the process, or not, as the implementation says.
#[async_trait]
pub trait KeyManager: Send + Sync + Debug {
    /// Makes a new key under `id` and returns it once it is stored; a key that had this id is replaced.
    ///
    /// # Errors
    /// [`KeysError::Kind`] for a kind that this manager does not make; [`KeysError::Write`] when the new key could not
    /// be stored, in which case the key that had this id is still there.
    async fn generate(&self, id: &str, kind: KeyKind) -> Result<Arc<dyn Key>, KeysError>;

    /// The key with this id.
    ///
    /// # Errors
    /// Those of the place where the keys live; the built-in managers have none.
    async fn key(&self, id: &str) -> Result<Option<Arc<dyn Key>>, KeysError>;

    /// All keys, sorted by id.
    ///
    /// # Errors
    /// Those of the place where the keys live; the built-in managers have none.
    async fn keys(&self) -> Result<Vec<Arc<dyn Key>>, KeysError>;

    /// Forgets the key with this id; nothing happens when there is none. Handles taken earlier go on signing.
    ///
    /// # Errors
    /// [`KeysError::Write`] when the deletion could not be stored, in which case the key is still there.
    async fn delete(&self, id: &str) -> Result<(), KeysError>;
}

/// One private key, wherever it lives.
#[async_trait]
pub trait Key: Send + Sync + Debug {
    /// The id under which its manager holds it.
    fn id(&self) -> &str;

    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`: ECDSA as ASN.1 DER, over SHA-256 for P-256 and SHA-384 for P-384.
    ///
    /// # Errors
    /// When the place where the key lives refuses or cannot be reached.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeysError>;

    /// The private key itself, when it is held in this process.
    fn local(&self) -> Option<&PrivateKey>;
}
