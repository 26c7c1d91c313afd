//! Join tokens in SQLite.

use std::time::SystemTime;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::columns::{from_instant, sha256, to_instant};
use super::failure::Failure;
use super::{SqliteStore, Write};
use crate::{JoinToken, Noun, StoreError, Tokens};

#[async_trait]
impl Tokens for SqliteStore {
    async fn create_token(&self, token: JoinToken) -> Result<(), StoreError> {
        self.write(Create { digest: sha256(token.value().as_bytes()), expires_at: token.expires_at() }).await
    }

    async fn consume_token(&self, value: &str) -> Result<Option<JoinToken>, StoreError> {
        let expires_at = self.write(Consume { digest: sha256(value.as_bytes()) }).await?;
        Ok(expires_at.map(|expires_at| JoinToken::new(value, expires_at)))
    }

    async fn prune_tokens(&self, before: SystemTime) -> Result<u64, StoreError> {
        self.write(Prune { before }).await
    }
}

struct Create {
    digest: Vec<u8>,
    expires_at: SystemTime,
}

#[async_trait]
impl Write for Create {
    type Outcome = ();

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<(), Failure> {
        let created =
            sqlx::query("INSERT INTO tokens (digest, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
                .bind(&self.digest)
                .bind(from_instant(self.expires_at))
                .execute(tx)
                .await?;
        match created.rows_affected() {
            0 => Err(StoreError::Duplicate { noun: Noun::Token, existing: String::new() }.into()),
            _ => Ok(()),
        }
    }
}

struct Consume {
    digest: Vec<u8>,
}

#[async_trait]
impl Write for Consume {
    type Outcome = Option<SystemTime>;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Option<SystemTime>, Failure> {
        let expires_at: Option<i64> =
            sqlx::query_scalar("DELETE FROM tokens WHERE digest = ?1 RETURNING expires_at")
                .bind(&self.digest)
                .fetch_optional(tx)
                .await?;
        expires_at.map(|seconds| to_instant(seconds, "join token")).transpose()
    }
}

struct Prune {
    before: SystemTime,
}

#[async_trait]
impl Write for Prune {
    type Outcome = u64;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<u64, Failure> {
        let pruned = sqlx::query("DELETE FROM tokens WHERE expires_at < ?1")
            .bind(from_instant(self.before))
            .execute(tx)
            .await?;
        Ok(pruned.rows_affected())
    }
}
