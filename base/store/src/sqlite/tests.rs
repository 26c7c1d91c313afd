//! The battery on SQLite, and what can happen to a file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_identity::{Entry, EntryDraft, EntryId, SpiffeId, TrustDomain};
use futures_util::future::join_all;
use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use super::failure::Failure;
use super::{SqliteStore, Write};
use crate::{Changes, DataStore, Entries, JoinToken, Journal, StoreError, Tokens, battery};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    (folder, path)
}

fn entry(n: usize, hint: &str) -> Entry {
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let id = |path: &str| SpiffeId::new(&trust_domain, path).unwrap();
    let selectors = ["unix:uid:1".parse().unwrap()].into_iter().collect();
    let mut draft = EntryDraft::new(id(&format!("/{n}")), id("/spire/agent/x"), selectors);
    draft.hint = hint.to_owned();
    Entry::new(draft, EntryId::new(n.to_string()).unwrap(), &trust_domain, SystemTime::UNIX_EPOCH).unwrap()
}

async fn count(store: &SqliteStore) -> usize {
    store.scan_entries(None, 10_000).await.unwrap().len()
}

/// A connection of somebody else's, who minds no lock of ours.
async fn intrude(path: &Path) -> SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.unwrap();
}

async fn run_battery_on_files() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    battery::run(|| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        let path = folder.path().join(format!("{n}.sqlite3"));
        async { Arc::new(SqliteStore::open(path).await.unwrap()) as Arc<dyn DataStore> }
    })
    .await;
}

#[tokio::test]
async fn a_file_passes_the_battery() {
    run_battery_on_files().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_passes_the_battery_on_two_threads() {
    run_battery_on_files().await;
}

#[tokio::test]
async fn memory_passes_the_battery() {
    battery::run(async || Arc::new(SqliteStore::in_memory().await.unwrap()) as Arc<dyn DataStore>).await;
}

#[tokio::test]
async fn two_stores_in_memory_share_nothing() {
    let (one, two) = (SqliteStore::in_memory().await.unwrap(), SqliteStore::in_memory().await.unwrap());
    one.create_entry(entry(1, "")).await.unwrap();
    assert_eq!((count(&one).await, count(&two).await), (1, 0));
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    store.create_entry(entry(1, "")).await.unwrap();
    store.put_journal(b"journal".to_vec(), None).await.unwrap();
    store.create_token(JoinToken::new("t0k3n", SystemTime::UNIX_EPOCH)).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!((count(&store).await, store.revision().await.unwrap()), (1, 1));
    assert_eq!(*store.subscribe().borrow(), 1);
    assert_eq!(store.journal().await.unwrap().unwrap().bytes, b"journal");
    assert!(store.consume_token("t0k3n").await.unwrap().is_some());
    assert_eq!(store.create_entry(entry(2, "")).await.unwrap(), 2, "revisions go on where they were");
}

/// What a killed process leaves is what is on the disk at that moment: the file and its write-ahead log.
#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..20 {
        store.create_entry(entry(n, "")).await.unwrap();
        let crashed = folder.path().join(format!("crashed-{n}"));
        fs::copy(&path, &crashed).unwrap();
        fs::copy(path.with_extension("sqlite3-wal"), folder.path().join(format!("crashed-{n}-wal"))).unwrap();
        let reopened = SqliteStore::open(&crashed).await.unwrap();
        assert_eq!(count(&reopened).await, n + 1);
    }
}

#[tokio::test]
async fn queued_writes_are_done_though_nobody_waits_for_them() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..50 {
        let write = store.create_entry(entry(n, ""));
        assert!(
            futures_util::FutureExt::now_or_never(write).is_none(),
            "the commit takes longer than a poll"
        );
    }
    store.close().await;
    assert_eq!(count(&SqliteStore::open(&path).await.unwrap()).await, 50);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = SqliteStore::in_memory().await.unwrap();
    store.close().await;
    store.close().await;
    assert!(matches!(store.create_entry(entry(1, "")).await, Err(StoreError::Closed)));
    assert!(matches!(store.scan_entries(None, 1).await, Err(StoreError::Closed)));
    assert!(matches!(store.revision().await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(&error, StoreError::Locked { path: named } if *named == path), "{error:?}");
    assert!(error.to_string().contains("several servers share a PostgreSQL database"), "{error}");
    store.close().await;
    SqliteStore::open(&path).await.expect("once it is closed, another may have it");
}

#[tokio::test]
async fn the_files_are_for_the_owner_only() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    store.create_entry(entry(1, "")).await.unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn commits_wait_for_the_disk() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.write(Pragma("PRAGMA synchronous")).await.unwrap(), "2", "FULL");
    assert_eq!(store.write(Pragma("PRAGMA journal_mode")).await.unwrap(), "wal");
    assert_eq!(store.write(Pragma("PRAGMA foreign_keys")).await.unwrap(), "1");
}

#[tokio::test]
async fn writes_that_wait_together_share_a_commit() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let before = commits(&path);
    join_all((0..200).map(|n| store.create_entry(entry(n, "")))).await.into_iter().for_each(|created| {
        created.unwrap();
    });
    let shared = commits(&path) - before;
    assert!(shared <= 10, "200 writes took {shared} commits");
}

/// How many frames of the write-ahead log end a commit: those that state the size of the database after it
/// (https://www.sqlite.org/fileformat.html#the_write_ahead_log).
fn commits(path: &Path) -> usize {
    let log = fs::read(path.with_extension("sqlite3-wal")).unwrap();
    log[32..].chunks(24 + 4096).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Asks or sets something on the connection that writes.
struct Pragma(&'static str);

#[async_trait]
impl Write for Pragma {
    type Outcome = String;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<String, Failure> {
        let row = sqlx::query(self.0).fetch_one(tx).await?;
        let number = sqlx::Row::try_get::<i64, _>(&row, 0).map(|number| number.to_string());
        Ok(number.or_else(|_| sqlx::Row::try_get(&row, 0))?)
    }
}

/// Runs out of space: SQLite takes a limit on pages for a full disk.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..10 {
        store.create_entry(entry(n, "")).await.unwrap();
    }
    store.write(Pragma("PRAGMA max_page_count = 1")).await.unwrap(); // the least that it allows: the present size
    let large = "x".repeat(1000);
    let error = loop_until_full(&store, &large).await;
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("make room on its disk"), "{error}");
    let (before, revision) = (count(&store).await, store.revision().await.unwrap());
    assert_eq!(before as u64, revision, "all that was acknowledged is there, and no more");

    store.write(Pragma("PRAGMA max_page_count = 100000")).await.unwrap();
    assert_eq!(
        store.create_entry(entry(9999, &large)).await.unwrap(),
        revision + 1,
        "once there is room, it goes on"
    );
    store.close().await;
    assert_eq!(count(&SqliteStore::open(&path).await.unwrap()).await, before + 1);
}

async fn loop_until_full(store: &SqliteStore, hint: &str) -> StoreError {
    for n in 100..1000 {
        if let Err(error) = store.create_entry(entry(n, hint)).await {
            return error;
        }
    }
    panic!("the disk never became full");
}

/// One write that does not fit is refused; those that were committed together with it are not.
#[tokio::test]
async fn a_write_that_does_not_fit_fails_alone() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    store.write(Pragma("PRAGMA max_page_count = 1")).await.unwrap();
    let (small, large) = (b"small".to_vec(), vec![0; 1 << 20]);
    let tokens = (0..20).map(|n| store.create_token(JoinToken::new(format!("{n}"), SystemTime::UNIX_EPOCH)));
    let (tokens, too_large) =
        futures_util::future::join(join_all(tokens), store.put_journal(large, None)).await;
    assert!(matches!(too_large, Err(StoreError::Full { .. })), "{too_large:?}");
    assert!(tokens.iter().all(Result::is_ok), "{tokens:?}");
    assert_eq!(store.put_journal(small, None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_refused_write_does_not_fail_its_neighbours() {
    let store = SqliteStore::in_memory().await.unwrap();
    let creations = (0..200).map(|n| store.create_entry(entry(n / 2, "")));
    let outcomes = join_all(creations).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 100);
    assert_eq!((count(&store).await, store.revision().await.unwrap()), (100, 100));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let (_folder, path) = folder();
    fs::write(&path, "not a database, and long enough to be read as the header of one: ".repeat(100))
        .unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Corrupt { place, .. } if place.ends_with("store.sqlite3")),
        "{error:?}"
    );
    assert!(fs::read_to_string(&path).unwrap().starts_with("not a database"), "it was left alone");
}

#[tokio::test]
async fn a_damaged_page_is_named() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..200 {
        store.create_entry(entry(n, &"x".repeat(500))).await.unwrap();
    }
    store.close().await;
    let mut bytes = fs::read(&path).unwrap();
    let kept = 3 * 4096; // the schema
    bytes[kept..].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let error = match SqliteStore::open(&path).await {
        Ok(store) => store.scan_entries(None, 1000).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(
        matches!(&error, StoreError::Corrupt { place, .. } if place.ends_with("store.sqlite3")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_damaged_row_is_named() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    store.create_entry(entry(7, "")).await.unwrap();
    execute(&mut intrude(&path).await, "UPDATE entries SET spiffe_id = 'http://example.org'").await;
    let error = store.scan_entries(None, 10).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { place, .. } if place == "entry `7`"), "{error:?}");
}

#[tokio::test]
async fn another_programs_file_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    execute(&mut intrude(&path).await, "CREATE TABLE bundles (trust_domain TEXT)").await;
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn spires_own_file_is_refused_by_name_and_left_alone() {
    let (folder, path) = folder();
    // Killed before it could put its last changes in place.
    let mut spire = intrude(&folder.path().join("running")).await;
    for statement in [
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE registered_entries (id INTEGER PRIMARY KEY)",
        "CREATE TABLE attested_node_entries (id INTEGER PRIMARY KEY)",
        "PRAGMA wal_checkpoint",
        "INSERT INTO registered_entries VALUES (1)",
    ] {
        execute(&mut spire, statement).await;
    }
    let log = PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(folder.path().join("running"), &path).unwrap();
    fs::copy(folder.path().join("running-wal"), &log).unwrap();
    let before = [&path, &log].map(|file| fs::read(file).unwrap());
    let error = SqliteStore::open(&path).await.unwrap_err();
    let StoreError::Schema { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("SPIRE"), "{source}");
    assert_eq!([&path, &log].map(|file| fs::read(file).unwrap()), before);
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_is_taken_up() {
    let (_folder, path) = folder();
    // What the migrator writes before it writes anything of ours.
    let table = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
                 installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
                 checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
    execute(&mut intrude(&path).await, table).await;
    let store = SqliteStore::open(&path).await.unwrap();
    store.create_entry(entry(1, "")).await.unwrap();
}

#[tokio::test]
async fn entries_of_the_first_schema_are_kept() {
    let (_folder, path) = folder();
    let mut first = intrude(&path).await;
    let steps = super::file::migrations().into_iter().take(1).collect();
    Migrator::with_migrations(steps).run(&mut first).await.unwrap();
    for id in ["b", "a"] {
        let row = format!(
            "INSERT INTO entries VALUES ('{id}', 7, 1800000000, 'spiffe://example.org/{id}', 'spiffe://example.org/p', \
             '[\"unix:uid:1\"]', x'{}', 61, NULL, '[]', TRUE, FALSE, FALSE, NULL, '[\"{id}.example.org\"]', 'hint', \
             FALSE, TRUE)",
            if id == "a" { "0a" } else { "0b" }
        );
        execute(&mut first, Box::leak(row.into_boxed_str())).await;
    }
    first.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let entries = store.scan_entries(None, 10).await.unwrap();
    let kept: Vec<_> = entries.iter().map(|entry| (entry.id.as_str(), entry.revision_number)).collect();
    assert_eq!(kept, [("a", 7), ("b", 7)]);
    assert_eq!(
        (entries[1].hint.as_str(), &entries[1].dns_names[..]),
        ("hint", &["b.example.org".to_owned()][..])
    );
    store.delete_entry(&entries[0].id).await.unwrap();
}

#[tokio::test]
async fn a_newer_versions_file_is_refused() {
    let (_folder, path) = folder();
    SqliteStore::open(&path).await.unwrap().close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, x'00', 0)";
    execute(&mut intrude(&path).await, newer).await;
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
    assert!(error.to_string().contains("run the version that wrote it"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named() {
    let (folder, _) = folder();
    let error = SqliteStore::open(folder.path().join("missing/store.sqlite3")).await.unwrap_err();
    let StoreError::Unavailable { source } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("missing/store.sqlite3"), "{source}");
}

#[tokio::test]
async fn the_file_holds_no_token() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    store.create_token(JoinToken::new("a-t0k3n-in-clear", SystemTime::UNIX_EPOCH)).await.unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"a-t0k3n-in-clear"));
    }
}

#[tokio::test]
async fn instants_before_1970_and_in_between_seconds_round_down() {
    use super::columns::{from_instant, to_instant};
    let epoch = SystemTime::UNIX_EPOCH;
    let half = Duration::from_millis(500);
    for (instant, seconds) in [(epoch, 0), (epoch + half, 0), (epoch - half, -1), (epoch - half - half, -1)] {
        assert_eq!(from_instant(instant), seconds);
        assert!(to_instant(seconds, "row").unwrap() <= instant);
    }
    assert!(to_instant(i64::MAX, "row").is_err() || to_instant(i64::MAX, "row").unwrap() > epoch);
}
