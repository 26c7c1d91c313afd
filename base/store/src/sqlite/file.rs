//! The database file: kept from other processes, checked to be ours, and brought up to date.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection};

use super::failure::Failure;
use crate::StoreError;

/// Locks and opens the file at `path`; the lock ends when it is dropped.
pub(super) async fn open(path: &Path) -> Result<(File, SqliteConnectOptions, SqliteConnection), Failure> {
    let lock = lock(path)?;
    create(path).map_err(|source| unavailable(path, source))?;
    let options = file_options(path);
    look_at(&options).await?;
    let connection = connect(&options).await?;
    Ok((lock, options, connection))
}

/// Refuses a foreign file before it is opened for writing: to open one that was not closed well is to tidy it up.
async fn look_at(options: &SqliteConnectOptions) -> Result<(), Failure> {
    let looking = options.clone().create_if_missing(false).read_only(true).immutable(true);
    // What cannot be read like this is judged when it is opened.
    let Ok(mut connection) = looking.connect().await else { return Ok(()) };
    match refuse_foreign(&mut connection, options.get_filename()).await {
        Err(Failure::Refused(foreign)) => Err(foreign.into()),
        Err(Failure::Database(_)) | Ok(()) => Ok(()),
    }
}

/// A connection to the database in memory that is called `name`, which must begin with a slash.
pub(super) fn memory_options(name: &Path) -> SqliteConnectOptions {
    shared_options(name).vfs("memdb").pragma("journal_mode", "MEMORY")
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    shared_options(path).synchronous(SqliteSynchronous::Full).pragma("temp_store", "MEMORY")
}

fn shared_options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.foreign_keys(true).busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    options.row_buffer_size(ROWS)
}

/// The connection that writes: to a file of ours, in WAL mode, with the newest schema. What is refused is closed again
/// before this returns, so that nothing is left beside the file.
pub(super) async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, Failure> {
    let mut connection = options.connect().await?;
    match set_up(&mut connection, options.get_filename()).await {
        Ok(()) => Ok(connection),
        Err(failure) => {
            // The first failure is the one to tell.
            let _ = connection.close().await;
            Err(failure)
        }
    }
}

async fn set_up(connection: &mut SqliteConnection, path: &Path) -> Result<(), Failure> {
    refuse_foreign(connection, path).await?;
    // Only now: the mode is written into the file. A database in memory answers with its own mode.
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    migrator().run(connection).await.map_err(|error| sqlx::Error::Migrate(error.into()))?;
    Ok(())
}

/// A few connections that only read.
pub(super) fn read_pool(options: &SqliteConnectOptions) -> SqlitePool {
    let options = options.clone().create_if_missing(false).pragma("query_only", "ON");
    SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(BUSY_TIMEOUT).connect_lazy_with(options)
}

fn lock(path: &Path) -> Result<File, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&name);
    let file = file.map_err(|source| unavailable(&name, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }.into()),
        Err(TryLockError::Error(source)) => Err(unavailable(&name, source)),
    }
}

/// SQLite gives its `-wal` and `-shm` files the mode of the file itself.
fn create(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn unavailable(path: &Path, source: std::io::Error) -> Failure {
    let source = CannotOpen { path: path.to_owned(), source };
    StoreError::Unavailable { source: source.into() }.into()
}

#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be opened", path.display())]
struct CannotOpen {
    path: PathBuf,
    source: std::io::Error,
}

async fn refuse_foreign(connection: &mut SqliteConnection, path: &Path) -> Result<(), Failure> {
    let owner: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    // The table of migrations comes before the first of them, which says whose file it is: a crash may fall in between.
    let objects = "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'";
    let objects: i64 = sqlx::query_scalar(objects).fetch_one(&mut *connection).await?;
    if owner == APPLICATION_ID || objects == 0 {
        return Ok(());
    }
    let spires =
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('registered_entries', 'attested_node_entries')";
    let spires: i64 = sqlx::query_scalar(spires).fetch_one(connection).await?;
    let source = if spires == 2 {
        "it is the datastore of a SPIRE server, whose entries `entry show -output json` tells"
    } else {
        "it is another program's SQLite file"
    };
    let source = source.into();
    Err(StoreError::Schema { place: path.display().to_string(), source }.into())
}

fn migrator() -> Migrator {
    Migrator::with_migrations(migrations())
}

pub(super) fn migrations() -> Vec<Migration> {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    vec![
        step(1, "nouns", include_str!("../../migrations/sqlite/0001_nouns.sql")),
        step(2, "entries in order", include_str!("../../migrations/sqlite/0002_entries_in_order.sql")),
    ]
}

/// "Finl", set by the first migration.
const APPLICATION_ID: i64 = 0x4669_6E6C;

/// How long SQLite waits for a lock. In WAL mode readers and the writer do not wait for each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many rows a connection's thread reads ahead: with fewer it and who asked take turns all the time.
const ROWS: usize = 1000;

/// Each is a thread; agents' calls are answered from memory, so few suffice.
const READERS: u32 = 4;
