//! Join tokens in the store: each can be taken out once.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::StoreError;

/// A secret that lets one agent in, once.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    value: Zeroizing<String>,
    expires_at: SystemTime,
}

impl JoinToken {
    /// A token that ends at `expires_at`, kept in whole seconds.
    #[must_use]
    pub fn new(value: impl Into<String>, expires_at: SystemTime) -> Self {
        Self { value: Zeroizing::new(value.into()), expires_at }
    }

    /// The secret.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// When the token ends. The store hands out tokens that have ended: whoever consumes one compares.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("value", &"…").field("expires_at", &self.expires_at).finish()
    }
}

/// The join tokens of a store, which keeps only digests of their values.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when a token with this value is there.
    async fn create_token(&self, token: JoinToken) -> Result<(), StoreError>;

    /// Takes the token with this value out: of any number of callers, one gets it.
    ///
    /// # Errors
    /// Those of the database; the token may then be there or not.
    async fn consume_token(&self, value: &str) -> Result<Option<JoinToken>, StoreError>;

    /// Deletes the tokens that ended before `before`, and says how many.
    ///
    /// # Errors
    /// Those of the database.
    async fn prune_tokens(&self, before: SystemTime) -> Result<u64, StoreError>;
}
