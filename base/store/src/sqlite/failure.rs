//! Errors on their way out of SQLite: what they mean to a caller.

use std::fmt;
use std::path::Path;

use sqlx::migrate::MigrateError;

use crate::StoreError;

/// Either the store's own refusal, or an error of the database that is not yet understood.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(StoreError),
    Database(sqlx::Error),
}

impl Failure {
    /// A row holds what we never wrote there.
    pub(super) fn corrupt_row(
        row: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Refused(StoreError::Corrupt { place: row.to_string(), source: source.into() })
    }

    /// What the caller of the store at `path` is told.
    pub(super) fn into_store_error(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Database(error) => explain(error, path),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

fn explain(error: sqlx::Error, path: &Path) -> StoreError {
    let place = path.display().to_string();
    match error {
        sqlx::Error::PoolClosed => StoreError::Closed,
        sqlx::Error::Migrate(error) => match *error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(error, path),
            error => StoreError::Schema { place, source: error.into() },
        },
        error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
            StoreError::Corrupt { place, source: error.into() }
        }
        sqlx::Error::Database(error) => match primary_code(&*error) {
            Some(SQLITE_FULL) => StoreError::Full { source: error.into() },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Corrupt { place, source: error.into() },
            _ => StoreError::Unavailable { source: error.into() },
        },
        error => StoreError::Unavailable { source: error.into() },
    }
}

/// The result code without its extension: https://www.sqlite.org/rescode.html.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_NOTADB: u32 = 26;
