//! A measured store does what the store does, and tells of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_daemon::telemetry::TelemetryConfig;

use super::*;
use crate::SqliteStore;

async fn measured() -> (Measured<SqliteStore>, Metrics) {
    let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH);
    let config = TelemetryConfig { hostname_label: false, ..TelemetryConfig::default() };
    let metrics = Metrics::new(&config, "spire_server", "example.org", &clock);
    (Measured::new(SqliteStore::in_memory().await.unwrap(), &metrics, &clock), metrics)
}

#[tokio::test]
async fn calls_are_counted_by_how_they_end() {
    let (store, metrics) = measured().await;
    let expires_at = SystemTime::UNIX_EPOCH;
    store.create_token(JoinToken::new("a", expires_at)).await.unwrap();
    store.create_token(JoinToken::new("a", expires_at)).await.unwrap_err();
    assert!(store.consume_token("a").await.unwrap().is_some());
    let page = metrics.page();
    for line in [
        "spire_server_datastore_join_token_create{status=\"OK\"} 1\n",
        "spire_server_datastore_join_token_create{status=\"AlreadyExists\"} 1\n",
        "spire_server_datastore_join_token_delete{status=\"OK\"} 1\n",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}
