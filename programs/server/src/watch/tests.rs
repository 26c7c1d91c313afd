//! What is counted of calls.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::SystemTime;

use finial_daemon::telemetry::TelemetryConfig;

use super::*;

#[test]
fn calls_are_counted_by_method_and_what_nobody_serves_is_not() {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let config = TelemetryConfig { hostname_label: false, ..TelemetryConfig::default() };
    let metrics = Metrics::new(&config, "spire_server", "example.org", &clock);
    let watch = Watch::new(&metrics, None, &clock);
    for (path, status) in [
        ("/spire.api.server.agent.v1.Agent/AttestAgent", Status::new(tonic::Code::Ok, "")),
        ("/spire.api.server.agent.v1.Agent/AttestAgent", Status::permission_denied("no")),
        ("/a.stranger/chose-this", Status::unimplemented("")),
    ] {
        let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let call = watch.begin(&mut request);
        hand.step(Duration::from_millis(3));
        call.end(&status);
    }
    let page = metrics.page();
    for line in [
        "spire_server_rpc_agent_v1_agent_attest_agent{status=\"OK\"} 1\n",
        "spire_server_rpc_agent_v1_agent_attest_agent{status=\"PermissionDenied\"} 1\n",
        "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time_sum{status=\"OK\"} 3\n",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert!(!page.contains("stranger"), "{page}");
}
