//! What is counted of calls, and of those that go on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::SystemTime;

use finial_daemon::telemetry::TelemetryConfig;
use tonic::Code;

use super::*;

#[test]
fn streams_are_open_until_they_end_and_then_counted() {
    let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH);
    let config = TelemetryConfig { hostname_label: false, ..TelemetryConfig::default() };
    let metrics = Metrics::new(&config, "spire_agent", "example.org", &clock);
    let watch = Watch::new(&metrics, &clock);
    let begin = |path: &str| watch.begin(&mut Request::builder().uri(path).body(Body::empty()).unwrap());
    let stream = begin("/SpiffeWorkloadAPI/FetchX509SVID");
    let secrets = begin("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets");
    begin("/a.stranger/chose-this").end(&Status::unimplemented(""));
    let page = metrics.page();
    for line in [
        "spire_agent_workload_api_connections 1\n",
        "spire_agent_workload_api_connection 1\n",
        "spire_agent_sds_api_connections 1\n",
        "spire_agent_delegated_identity_api_connections 0\n",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert!(!page.contains("stranger") && !page.contains("spire_agent_rpc_"), "{page}");
    stream.end(&Status::new(Code::Cancelled, ""));
    secrets.end(&Status::new(Code::Ok, ""));
    let page = metrics.page();
    for line in [
        "spire_agent_workload_api_connections 0\n",
        "spire_agent_workload_api_connection 1\n",
        "spire_agent_rpc_workload_api_fetch_x509svid{status=\"Canceled\"} 1\n",
        "spire_agent_rpc_sds_v3_stream_secrets{status=\"OK\"} 1\n",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}
