//! What the agent says about itself: serving, once it has heard its server.

use finial_daemon::Drain;
use finial_provide::Cache;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The name under which the whole agent is asked for.
const AGENT: &str = "";

/// Not serving, until the first sync: before it nobody gets an identity.
pub(crate) async fn begin(reporter: &HealthReporter) {
    reporter.set_service_status(AGENT, ServingStatus::NotServing).await;
}

/// Follows the cache until the drain.
pub(crate) async fn follow(reporter: HealthReporter, cache: Cache, drain: Drain) {
    let mut snapshots = cache.subscribe();
    if snapshots.wait_for(|snapshot| snapshot.is_synced()).await.is_ok() {
        reporter.set_service_status(AGENT, ServingStatus::Serving).await;
        tracing::info!("the agent is ready");
    }
    drain.requested().await;
    reporter.set_service_status(AGENT, ServingStatus::NotServing).await;
}
