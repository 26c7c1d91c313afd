//! The journal in SQLite: one row that holds two generations.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{from_count, to_count};
use super::failure::Failure;
use super::{SqliteStore, Write};
use crate::{Journal, JournalRecord, Noun, Revision, StoreError};

#[async_trait]
impl Journal for SqliteStore {
    async fn journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        let rows = sqlx::query("SELECT revision, bytes FROM journal").fetch_all(&self.reads).await;
        Ok(self.decode(rows, decode)?.pop())
    }

    async fn previous_journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT revision - 1 AS revision, previous AS bytes FROM journal WHERE previous IS NOT NULL",
        )
        .fetch_all(&self.reads)
        .await;
        Ok(self.decode(rows, decode)?.pop())
    }

    async fn put_journal(&self, bytes: Vec<u8>, expected: Option<Revision>) -> Result<Revision, StoreError> {
        self.write(Put { bytes, expected }).await
    }
}

struct Put {
    bytes: Vec<u8>,
    expected: Option<Revision>,
}

#[async_trait]
impl Write for Put {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let statement = match self.expected {
            Some(_) => {
                "UPDATE journal SET revision = revision + 1, bytes = ?1, previous = bytes WHERE revision = ?2 \
                 RETURNING revision"
            }
            None => {
                "INSERT INTO journal (only_row, revision, bytes) VALUES (1, 1, ?1) ON CONFLICT DO NOTHING \
                 RETURNING revision"
            }
        };
        let put = sqlx::query_scalar(statement).bind(&self.bytes).bind(self.expected.map(from_count));
        match put.fetch_optional(tx).await? {
            Some(revision) => to_count(revision, "journal"),
            None => Err(StoreError::Conflict { noun: Noun::Journal, key: "authorities".to_owned() }.into()),
        }
    }
}

fn decode(row: &SqliteRow) -> Result<JournalRecord, Failure> {
    Ok(JournalRecord {
        revision: to_count(row.try_get("revision")?, "journal")?,
        bytes: row.try_get("bytes")?,
    })
}
