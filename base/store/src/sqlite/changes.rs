//! The revision and the change log in SQLite.

use std::ops::Range;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection, SqliteExecutor};
use tokio::sync::watch;

use super::columns::{from_count, to_count};
use super::failure::Failure;
use super::{SqliteStore, Write};
use crate::{Change, ChangeKind, Changes, Revision, StoreError};

#[async_trait]
impl Changes for SqliteStore {
    async fn changes_after(&self, after: Revision, limit: u32) -> Result<Vec<Change>, StoreError> {
        // First the revision, then the log: all changes up to that revision are in the log by then, unless pruned.
        let newest = self.revision().await?;
        if newest < after {
            return Err(StoreError::Behind { after, newest });
        }
        let rows = sqlx::query(
            "SELECT revision, kind, key FROM changes WHERE revision > ?1 ORDER BY revision LIMIT ?2",
        )
        .bind(from_count(after))
        .bind(limit)
        .fetch_all(&self.reads)
        .await;
        let changes = self.decode(rows, decode)?;
        match changes.first() {
            Some(oldest) if oldest.revision == after + 1 => Ok(changes),
            None if newest == after => Ok(changes),
            _ => Err(StoreError::Pruned { after }),
        }
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        newest_revision(&self.reads).await.map_err(|failure| failure.into_store_error(&self.path))
    }

    async fn prune_changes(&self, keep: u64) -> Result<u64, StoreError> {
        self.write(Prune { keep }).await
    }

    fn subscribe(&self) -> watch::Receiver<Revision> {
        self.writer.revisions()
    }
}

struct Prune {
    keep: u64,
}

#[async_trait]
impl Write for Prune {
    type Outcome = u64;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<u64, Failure> {
        prune(tx, self.keep).await
    }
}

/// Takes the next revision and notes what it is for.
pub(super) async fn record(
    tx: &mut SqliteConnection,
    kind: ChangeKind,
    key: &str,
) -> Result<Revision, Failure> {
    let mut revisions = record_all(tx, kind, &[key]).await?;
    revisions.next().ok_or_else(|| Failure::corrupt_row("revision", "none was taken"))
}

/// Takes a revision for each of these keys, in order.
pub(super) async fn record_all(
    tx: &mut SqliteConnection,
    kind: ChangeKind,
    keys: &[impl AsRef<str>],
) -> Result<Range<Revision>, Failure> {
    let count = keys.len() as u64;
    let newest: i64 = sqlx::query_scalar("UPDATE revision SET n = n + ?1 RETURNING n")
        .bind(from_count(count))
        .fetch_one(&mut *tx)
        .await?;
    let end = to_count(newest, "revision")? + 1;
    let revisions = end.saturating_sub(count)..end;
    for (keys, first) in keys.chunks(ROWS).zip(revisions.clone().step_by(ROWS)) {
        let mut statement = QueryBuilder::new("INSERT INTO changes (revision, kind, key) ");
        statement.push_values(keys.iter().zip(first..), |mut row, (key, revision)| {
            row.push_bind(from_count(revision)).push_bind(name(kind)).push_bind(key.as_ref());
        });
        statement.build().persistent(matches!(keys.len(), 1 | ROWS)).execute(&mut *tx).await?;
    }
    Ok(revisions)
}

/// How many rows one statement inserts: so few that each full one is the same text, which is prepared once and kept.
const ROWS: usize = 50;

/// The newest revision that this reader can see.
pub(super) async fn newest_revision(reader: impl SqliteExecutor<'_>) -> Result<Revision, Failure> {
    let newest = sqlx::query_scalar("SELECT n FROM revision").fetch_one(reader).await?;
    to_count(newest, "revision")
}

/// Forgets all but the newest `keep` changes.
pub(super) async fn prune(tx: &mut SqliteConnection, keep: u64) -> Result<u64, Failure> {
    let pruned = sqlx::query("DELETE FROM changes WHERE revision <= (SELECT n FROM revision) - ?1")
        .bind(from_count(keep))
        .execute(tx)
        .await?;
    Ok(pruned.rows_affected())
}

fn decode(row: &SqliteRow) -> Result<Change, Failure> {
    let revision = to_count(row.try_get("revision")?, "change")?;
    let kind = match row.try_get("kind")? {
        "entry" => ChangeKind::Entry,
        "node" => ChangeKind::Node,
        "bundle" => ChangeKind::Bundle,
        kind => {
            return Err(Failure::corrupt_row(
                format_args!("change {revision}"),
                format!("unknown kind `{kind}`"),
            ));
        }
    };
    Ok(Change { revision, kind, key: row.try_get("key")? })
}

fn name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Entry => "entry",
        ChangeKind::Node => "node",
        ChangeKind::Bundle => "bundle",
    }
}
