//! Bundles in SQLite.

mod content;

use async_trait::async_trait;
use finial_identity::{Bundle, TrustDomain};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{from_count, to_count, to_text};
use super::failure::Failure;
use super::{SqliteStore, Write, changes, entries};
use crate::{Bundles, ChangeKind, Federating, Noun, Revision, StoreError, StoredBundle};

#[async_trait]
impl Bundles for SqliteStore {
    async fn put_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError> {
        self.write(Put { bundle, expected: None }).await
    }

    async fn replace_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError> {
        let expected = Some(bundle.sequence_number);
        self.write(Put { bundle, expected }).await
    }

    async fn delete_bundle(
        &self,
        trust_domain: &TrustDomain,
        federating: Federating,
    ) -> Result<Revision, StoreError> {
        self.write(Delete { trust_domain: trust_domain.clone(), federating }).await
    }

    async fn bundle(&self, trust_domain: &TrustDomain) -> Result<Option<Bundle>, StoreError> {
        let rows = sqlx::query("SELECT * FROM bundles WHERE trust_domain = ?1")
            .bind(trust_domain.name())
            .fetch_all(&self.reads)
            .await;
        Ok(self.decode(rows, decode)?.pop())
    }

    async fn bundles(&self) -> Result<Vec<Bundle>, StoreError> {
        let rows = sqlx::query("SELECT * FROM bundles ORDER BY trust_domain").fetch_all(&self.reads).await;
        self.decode(rows, decode)
    }
}

struct Put {
    bundle: Bundle,
    /// The sequence number that must be stored, 0 for no bundle; anything when `None`.
    expected: Option<u64>,
}

#[async_trait]
impl Write for Put {
    type Outcome = StoredBundle;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<StoredBundle, Failure> {
        let name = self.bundle.trust_domain.name();
        let stored: Option<(i64, String)> =
            sqlx::query_as("SELECT sequence_number, content FROM bundles WHERE trust_domain = ?1")
                .bind(name)
                .fetch_optional(&mut *tx)
                .await?;
        let (stored_sequence, stored_content) = stored.unwrap_or_default();
        let stored_sequence = to_count(stored_sequence, format_args!("bundle `{name}`"))?;
        if self.expected.is_some_and(|expected| expected != stored_sequence) {
            return Err(StoreError::Conflict { noun: Noun::Bundle, key: name.to_owned() }.into());
        }
        let content = content::encode(&self.bundle);
        if content == stored_content {
            let revision = changes::newest_revision(tx).await?;
            return Ok(StoredBundle { revision, sequence_number: stored_sequence });
        }
        let sequence_number = stored_sequence + 1;
        let revision = changes::record(tx, ChangeKind::Bundle, name).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO bundles (trust_domain, sequence_number, content) VALUES (?1, ?2, ?3)",
        )
        .bind(name)
        .bind(from_count(sequence_number))
        .bind(content)
        .execute(tx)
        .await?;
        Ok(StoredBundle { revision, sequence_number })
    }
}

struct Delete {
    trust_domain: TrustDomain,
    federating: Federating,
}

#[async_trait]
impl Write for Delete {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let name = self.trust_domain.name();
        let deleted_at = changes::record(tx, ChangeKind::Bundle, name).await?;
        let newest = match self.federating {
            Federating::Keep => {
                entries::refuse_federating(name, tx).await?;
                None
            }
            Federating::Delete => entries::delete_federating(name, tx).await?,
            Federating::Dissociate => entries::dissociate(name, tx).await?,
        };
        let deleted =
            sqlx::query("DELETE FROM bundles WHERE trust_domain = ?1").bind(name).execute(tx).await?;
        match deleted.rows_affected() {
            0 => Err(StoreError::NotFound { noun: Noun::Bundle, key: name.to_owned() }.into()),
            _ => Ok(newest.unwrap_or(deleted_at)),
        }
    }
}

fn decode(row: &SqliteRow) -> Result<Bundle, Failure> {
    let name: &str = row.try_get("trust_domain")?;
    let place = format_args!("bundle `{name}`");
    let trust_domain: TrustDomain = to_text(name, place)?;
    let mut bundle = content::decode(trust_domain, row.try_get("content")?)?;
    bundle.sequence_number = to_count(row.try_get("sequence_number")?, place)?;
    Ok(bundle)
}
