//! Trust that goes: the pool is empty within five seconds, what is lent included.

use std::time::Duration;

use finial_daemon::Clock;
use finial_postgres::{Client, Pool, PoolSettings, pool};
use finial_testkit::until;

use super::{BY_COMMON_NAME, Ground};

/// Rule 5 of the architecture.
const AT_MOST: Duration = Duration::from_secs(5);

/// A pool with one connection in the middle of a transaction, and two that wait for somebody.
async fn lend(ground: &Ground) -> (Pool, Client) {
    let pool = pool(&ground.connector(), &ground.config(), PoolSettings::default(), &ground.tasks);
    let lent = pool.get().await.expect("a connection");
    lent.batch_execute("BEGIN; SELECT 1").await.expect("a transaction");
    drop((pool.get().await.expect("another"), pool.get().await.expect("a third")));
    assert_eq!((ground.sessions(), pool.status().size), (3, 3));
    (pool, lent)
}

/// Waits until nothing is left, and gives how long that took.
fn emptied(ground: &Ground, pool: &Pool, lent: Client, clock: &Clock) -> Duration {
    let since = clock.monotonic();
    until("end of all connections", || (ground.sessions() == 0).then_some(()));
    assert!(lent.is_closed());
    drop(lent);
    until("empty pool", || (pool.status().size == 0).then_some(()));
    clock.monotonic() - since
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_5_pool_is_empty_when_the_authority_of_postgresql_leaves_the_bundle() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let (pool, lent) = lend(&ground).await;
    // PostgreSQL is not given its new certificate.
    ground.dev.rotate_ca();
    let took = emptied(&ground, &pool, lent, ground.source.clock());
    assert!(took < AT_MOST, "{took:?}");
    let refusal = pool.get().await.expect_err("a refusal").to_string();
    assert!(refusal.contains("cannot secure the connection"), "{refusal}");

    ground.postgres.present(&ground.dev.write_svid());
    pool.get().await.expect("a connection of the new authority");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_5_pool_is_empty_when_the_entry_of_the_workload_is_deleted() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let (pool, lent) = lend(&ground).await;
    ground.dev.cli(&["entry", "delete", "-entryID", "app"]).expect_success();
    let took = emptied(&ground, &pool, lent, ground.source.clock());
    assert!(took < AT_MOST, "{took:?}");
    pool.get().await.expect_err("a refusal");
}
