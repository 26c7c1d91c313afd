//! The embedded store: one SQLite file, one writer, several changes per commit under load.

mod bundles;
mod changes;
mod columns;
mod entries;
mod failure;
mod file;
mod fresh;
mod journal;
mod nodes;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};

use self::failure::Failure;
use self::fresh::Fresh;
use self::writer::{Write, Writer};
use crate::StoreError;

/// A datastore in one SQLite file (WAL, `synchronous = FULL`), or in memory.
///
/// Dropping it lets the writes already queued reach the disk, but does not wait for them: [`close`](Self::close) does.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    reads: SqlitePool,
    fresh: Arc<Fresh>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the store at `path`, with mode 0600 when it is new, and brings its schema up to date. The folder must exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it open; [`StoreError::Corrupt`]; [`StoreError::Schema`] when
    /// it is another program's or a newer version's; [`StoreError::Unavailable`] when it cannot be opened.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let opened = file::open(path).await;
        let (lock, options, connection) = opened.map_err(|failure| failure.into_store_error(path))?;
        Self::start(path, Some(lock), &options, connection).await
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn in_memory() -> Result<Self, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("/finial-{}", COUNT.fetch_add(1, Ordering::Relaxed)); // the slash lets connections share it
        let path = Path::new(&name);
        let options = file::memory_options(path);
        let connection = file::connect(&options).await.map_err(|failure| failure.into_store_error(path))?;
        Self::start(path, None, &options, connection).await
    }

    async fn start(
        path: &Path,
        lock: Option<std::fs::File>,
        options: &SqliteConnectOptions,
        connection: sqlx::SqliteConnection,
    ) -> Result<Self, StoreError> {
        let fresh = Arc::<Fresh>::default();
        let writer = Writer::start(connection, lock, Arc::clone(&fresh)).await;
        let writer = writer.map_err(|failure| failure.into_store_error(path))?;
        Ok(Self { path: path.to_owned(), reads: file::read_pool(options), fresh, writer })
    }

    /// Finishes the writes already queued and closes the file. Later calls fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        self.reads.close().await;
        self.writer.close().await;
    }

    /// Queues a write and waits until it is committed, or refused.
    async fn write<W: Write>(&self, write: W) -> Result<W::Outcome, StoreError> {
        self.writer.submit(write).await.map_err(|failure| failure.into_store_error(&self.path))
    }

    /// Decodes what a query found.
    fn decode<T>(
        &self,
        rows: sqlx::Result<Vec<SqliteRow>>,
        decode: fn(&SqliteRow) -> Result<T, Failure>,
    ) -> Result<Vec<T>, StoreError> {
        let decoded = rows.map_err(Failure::from).and_then(|rows| rows.iter().map(decode).collect());
        decoded.map_err(|failure| failure.into_store_error(&self.path))
    }
}
