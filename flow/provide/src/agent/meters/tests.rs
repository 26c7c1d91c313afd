//! What the page of metrics tells after the agent's days.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::Clock;
use finial_daemon::metrics::Metrics;
use finial_daemon::telemetry::TelemetryConfig;
use finial_identity::Audience;

use super::CacheMeters;
use crate::agent::testing::{Agent, Authority, LIFE, draft, entry, start_of_time};
use crate::agent::workload_api::rates::RatedCall;

fn metrics() -> (Metrics, CacheMeters) {
    let config = TelemetryConfig { hostname_label: false, ..TelemetryConfig::default() };
    let metrics = Metrics::new(&config, "spire_agent", "example.org", &Clock::manual(start_of_time()).0);
    let meters = CacheMeters::new(&metrics);
    (metrics, meters)
}

/// The line of a metric, which has no labels but these.
fn line(metrics: &Metrics, name: &str) -> Option<String> {
    let page = metrics.page();
    page.lines().find(|line| line.starts_with(&format!("spire_agent_{name} "))).map(str::to_owned)
}

fn told(metrics: &Metrics, name: &str, value: u32) {
    assert_eq!(line(metrics, name), Some(format!("spire_agent_{name} {value}")), "{}", metrics.page());
}

#[tokio::test]
async fn entries_that_come_change_and_go_are_counted() {
    let (metrics, meters) = metrics();
    let entries = ["a", "b"].map(|name| entry(name, draft(name, &["t:a"])));
    let agent = Agent::start_limited(entries, |_| {}, |options| options.meters = meters);
    let first = agent.soon(|snapshot| snapshot.credential_count() == 2).await;
    told(&metrics, "lru_cache_entry_add", 2);

    agent.server.put(entry("a", draft("a", &["t:other"])));
    agent.server.delete("b");
    agent
        .soon(|snapshot| snapshot.serial("a") != first.serial("a") && snapshot.credential_count() == 1)
        .await;
    told(&metrics, "lru_cache_entry_update", 1);
    told(&metrics, "lru_cache_entry_remove", 1);
    told(&metrics, "cache_manager_outdated_svids_sum", 1);
    told(&metrics, "cache_manager_expiring_svids_count", 0);
    agent.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn svids_that_are_renewed_in_time_are_counted_as_expiring() {
    let (metrics, meters) = metrics();
    let agent =
        Agent::start_limited([entry("a", draft("a", &["t:a"]))], |_| {}, |options| options.meters = meters);
    let first = agent.soon(|snapshot| snapshot.credential_count() == 1).await;
    agent.until(LIFE, |snapshot| snapshot.serial("a") != first.serial("a")).await;
    told(&metrics, "cache_manager_expiring_svids_sum", 1);
    told(&metrics, "cache_manager_outdated_svids_count", 0);
    agent.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn svids_of_withdrawn_authorities_are_counted() {
    let (metrics, meters) = metrics();
    let web = entry("a", draft("a", &["t:a"]));
    let agent = Agent::start_limited([web], |_| {}, |options| options.meters = meters);
    let first = agent.soon(|snapshot| snapshot.credential_count() == 1).await;
    let known = first.entries().iter().next().unwrap();
    agent.cache.jwt_svid(known, &Audience::new(["db"]).unwrap()).await.unwrap();

    agent.server.use_authority(Authority::new("second"));
    agent.server.use_jwt_key("jwt-2");
    agent.server.change_bundle(|bundle| {
        let tainted = bundle.x509_authorities.remove(0).tainted(true);
        bundle.x509_authorities.insert(0, tainted);
        bundle.jwt_authorities.remove(0);
    });
    agent.soon(|snapshot| snapshot.serial("a").is_some() && snapshot.serial("a") != first.serial("a")).await;
    agent
        .soon(|_| line(&metrics, "cache_manager_tainted_jwt_svids_workload_sum").unwrap().ends_with(" 1"))
        .await;
    told(&metrics, "cache_manager_tainted_x509_svids_workload_sum", 1);
    let page = metrics.page();
    for call in ["process_tainted_x509_svids", "process_tainted_jwt_svids"] {
        let counted = format!("\nspire_agent_cache_manager_workload_{call}{{status=\"OK\"}} 1\n");
        assert!(page.contains(&counted), "{call}\n{page}");
    }
    agent.tasks.stop(Duration::ZERO).await;
}

#[test]
fn each_method_has_its_count_of_refused_calls() {
    let (metrics, meters) = metrics();
    for (n, call) in RatedCall::ALL.into_iter().enumerate() {
        (0..=n).for_each(|_| meters.note_refusal(call));
    }
    let page = metrics.page();
    for (n, call) in RatedCall::ALL.into_iter().enumerate() {
        let line = page.lines().find(|line| line.contains(&format!("method=\"{}\"", call.method()))).unwrap();
        assert!(line.starts_with("spire_agent_workload_api_rate_limit_exceeded{"), "{line}");
        assert!(line.contains("key_type=\"selectors\"") && line.ends_with(&format!(" {}", n + 1)), "{line}");
    }
}
