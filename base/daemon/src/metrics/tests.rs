//! What is noted is told, in Prometheus's form and by SPIRE's names.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;

fn metrics(edit: impl FnOnce(&mut TelemetryConfig)) -> Metrics {
    let mut config = TelemetryConfig { hostname_label: false, ..TelemetryConfig::default() };
    edit(&mut config);
    let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    Metrics::new(&config, "spire_server", "example.org", &clock)
}

/// The lines of the metrics whose names begin so.
fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
    let page = metrics.page();
    let of_name =
        |line: &&str| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with(name);
    page.lines().filter(of_name).map(str::to_owned).collect()
}

#[test]
fn call_counter_is_a_count_and_a_summary_of_milliseconds_by_status() {
    let metrics = metrics(|_| {});
    let calls = metrics.calls("rpc.agent.v1.agent.attest_agent", "Calls of AttestAgent.");
    assert_eq!(lines(&metrics, "spire_server"), Vec::<String>::new(), "nothing before the first call");
    calls.note(CallStatus::OK, Duration::from_millis(2));
    calls.note(CallStatus::OK, Duration::from_millis(4));
    calls.note(CallStatus::from_code(7), Duration::from_micros(500));
    assert_eq!(
        lines(&metrics, "spire_server"),
        [
            "# HELP spire_server_rpc_agent_v1_agent_attest_agent Calls of AttestAgent.",
            "# TYPE spire_server_rpc_agent_v1_agent_attest_agent untyped",
            "spire_server_rpc_agent_v1_agent_attest_agent{status=\"OK\"} 2",
            "spire_server_rpc_agent_v1_agent_attest_agent{status=\"PermissionDenied\"} 1",
            "# HELP spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time Calls of AttestAgent. How long it takes, in ms.",
            "# TYPE spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time summary",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"OK\",quantile=\"0.5\"} 2",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"OK\",quantile=\"0.9\"} 4",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"OK\",quantile=\"0.99\"} 4",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time_sum{status=\"OK\"} 6",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time_count{status=\"OK\"} 2",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"PermissionDenied\",quantile=\"0.5\"} 0.5",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"PermissionDenied\",quantile=\"0.9\"} 0.5",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time{status=\"PermissionDenied\",quantile=\"0.99\"} 0.5",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time_sum{status=\"PermissionDenied\"} 0.5",
            "spire_server_rpc_agent_v1_agent_attest_agent_elapsed_time_count{status=\"PermissionDenied\"} 1",
        ]
    );
    assert_eq!((calls.count(CallStatus::OK), calls.count(CallStatus::UNKNOWN)), (2, 0));
}

#[test]
fn counters_gauges_and_samples_are_told_with_their_labels_escaped() {
    let metrics = metrics(|_| {});
    let signed = metrics.counter("server_ca.sign.x509_svid", "Signed.");
    signed.add_many(3);
    metrics.counter("refused.total", "Refused.").add();
    metrics.gauge("started", "Started.", &[("version", "a\"b\\c\nd")], || Some(1.0));
    metrics.gauge("unknown", "Not known yet.", &[], || None);
    metrics.sample("cache_manager.expiring_svids", "Expiring.").note(5.0);
    assert_eq!(signed.value(), 3);
    let told = lines(&metrics, "spire_server");
    for line in [
        "# TYPE spire_server_server_ca_sign_x509_svid untyped",
        "spire_server_server_ca_sign_x509_svid 3",
        "# TYPE spire_server_refused_total counter",
        "spire_server_started{version=\"a\\\"b\\\\c\\nd\"} 1",
        "spire_server_cache_manager_expiring_svids_sum 5",
        "spire_server_cache_manager_expiring_svids{quantile=\"0.5\"} 5",
    ] {
        assert!(told.iter().any(|told| told == line), "{line}\n{told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("unknown")));
}

#[test]
fn labels_of_the_configuration_are_on_every_line() {
    let metrics = metrics(|config| {
        config.hostname_label = true;
        config.trust_domain_label = true;
        config.metric_prefix = Some("ca-1".to_owned());
    });
    metrics.counter("svid.rotate", "Rotated.").add();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let line = format!("ca_1_svid_rotate{{host=\"{host}\",trust_domain=\"example.org\"}} 1");
    assert!(metrics.page().contains(&line), "{}", metrics.page());
}

#[test]
fn longest_prefix_decides_what_is_told() {
    let metrics = metrics(|config| {
        config.blocked_prefixes = vec!["spire_server.rpc".to_owned()];
        config.allowed_prefixes = vec!["spire_server.rpc.agent".to_owned()];
    });
    for key in ["rpc.agent.v1.agent.renew_agent", "rpc.entry.v1.entry.list_entries", "svid.rotate"] {
        metrics.calls(key, "Calls.").note(CallStatus::OK, Duration::ZERO);
    }
    let told = metrics.page();
    assert!(told.contains("renew_agent{") && told.contains("svid_rotate{"), "{told}");
    assert!(!told.contains("list_entries"), "{told}");
}

#[test]
fn series_that_differ_in_a_blocked_label_alone_are_one() {
    let metrics = metrics(|config| config.blocked_labels = vec!["status".to_owned(), "attestor".to_owned()]);
    for attestor in ["unix", "docker"] {
        let calls = metrics.calls_with("workload_attestor", "Calls.", &[("attestor", attestor)]);
        calls.note(CallStatus::OK, Duration::from_millis(1));
        calls.note(CallStatus::UNKNOWN, Duration::from_millis(2));
    }
    let told = lines(&metrics, "spire_server_workload_attestor");
    assert!(told.contains(&"spire_server_workload_attestor 4".to_owned()), "{told:#?}");
    assert!(told.contains(&"spire_server_workload_attestor_elapsed_time_sum 6".to_owned()), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains("_count")).count(), 1, "{told:#?}");
}

#[test]
fn allowed_labels_are_the_only_ones() {
    let metrics = metrics(|config| {
        config.trust_domain_label = true;
        config.allowed_labels = vec!["status".to_owned()];
    });
    metrics.calls("svid.rotate", "Rotated.").note(CallStatus::OK, Duration::ZERO);
    assert!(metrics.page().contains("spire_server_svid_rotate{status=\"OK\"} 1"), "{}", metrics.page());
}

#[test]
fn quantiles_are_of_the_last_values_and_sums_of_all() {
    let metrics = metrics(|_| {});
    let sample = metrics.sample("sizes", "Sizes.");
    for value in 0..1_000 {
        sample.note(f64::from(value));
    }
    let told = lines(&metrics, "spire_server_sizes");
    assert!(told.contains(&"spire_server_sizes_count 1000".to_owned()), "{told:#?}");
    assert!(told.contains(&"spire_server_sizes_sum 499500".to_owned()), "{told:#?}");
    assert!(told.contains(&"spire_server_sizes{quantile=\"0.5\"} 871".to_owned()), "{told:#?}");
}

#[test]
fn every_status_has_gos_name() {
    assert_eq!(CallStatus::from_code(0), CallStatus::OK);
    assert_eq!(CallStatus::from_code(16).name(), "Unauthenticated");
    for code in [-1, 17, i32::MAX] {
        assert_eq!(CallStatus::from_code(code), CallStatus::UNKNOWN);
    }
    assert!((0..17).all(|code| CallStatus::from_code(code).code() == code));
}
