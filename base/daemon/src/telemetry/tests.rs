//! What the block may say, and what it may not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::hcl;

fn check_id(id: &str) -> Result<(), String> {
    if id.starts_with("spiffe://") { Ok(()) } else { Err(format!("`{id}` is no SPIFFE ID")) }
}

fn read(text: &str) -> Result<TelemetryConfig, String> {
    let mut top = hcl::parse(text, "test.conf").unwrap();
    let config = TelemetryConfig::take(&mut top, check_id).map_err(|error| error.to_string())?;
    top.finish().map_err(|error| error.to_string())?;
    Ok(config)
}

#[test]
fn without_the_block_nobody_is_told() {
    assert_eq!(read("").unwrap(), TelemetryConfig::default());
    assert_eq!(read("telemetry { }").unwrap(), TelemetryConfig::default());
    assert!(TelemetryConfig::default().hostname_label);
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"telemetry {
            Prometheus { host = "0.0.0.0" port = 9988 }
            InMem {}
            MetricPrefix = "ca"
            EnableTrustDomainLabel = true
            EnableHostnameLabel = false
            AllowedPrefixes = ["ca.rpc.agent"]
            BlockedPrefixes = ["ca.rpc"]
            AllowedLabels = ["status", "host"]
            BlockedLabels = ["host"]
        }"#,
    );
    let text = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let expected = TelemetryConfig {
        prometheus: Some(PrometheusConfig { host: "0.0.0.0".into(), port: 9988, tls: None }),
        metric_prefix: Some("ca".into()),
        trust_domain_label: true,
        hostname_label: false,
        allowed_prefixes: text(&["ca.rpc.agent"]),
        blocked_prefixes: text(&["ca.rpc"]),
        allowed_labels: text(&["status", "host"]),
        blocked_labels: text(&["host"]),
    };
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn tls_is_by_files_or_by_the_svid() {
    let tls = |text: &str| {
        let config = read(&format!("telemetry {{ Prometheus {{ port = 1 tls {{ {text} }} }} }}"))?;
        Ok::<_, String>(config.prometheus.unwrap().tls.unwrap())
    };
    let files = |client_ca_file: Option<&str>| PrometheusTls::Files {
        cert_file: "c".into(),
        key_file: "k".into(),
        client_ca_file: client_ca_file.map(PathBuf::from),
    };
    assert_eq!(tls(r#"cert_file = "c" key_file = "k""#), Ok(files(None)));
    assert_eq!(tls(r#"cert_file = "c" key_file = "k" client_ca_file = "a""#), Ok(files(Some("a"))));
    let svid = tls(r#"use_spire_svid = true authorized_spiffe_ids = ["spiffe://td/p"]"#);
    assert_eq!(svid, Ok(PrometheusTls::Svid { authorized: vec!["spiffe://td/p".into()] }));
    for (text, problem) in [
        ("", "tls needs cert_file and key_file, or use_spire_svid = true"),
        (r#"cert_file = "c""#, "tls needs cert_file and key_file"),
        ("use_spire_svid = true", "tls has no authorized_spiffe_ids: name who may read the metrics"),
        (r#"use_spire_svid = true authorized_spiffe_ids = ["x"]"#, "`x` is no SPIFFE ID"),
        (r#"use_spire_svid = true cert_file = "c" key_file = "k""#, "use_spire_svid excludes files"),
        (
            r#"cert_file = "c" key_file = "k" authorized_spiffe_ids = ["spiffe://td/p"]"#,
            "needs use_spire_svid = true",
        ),
    ] {
        let error = tls(text).unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn other_collectors_are_refused_by_name_and_unknown_keys_too() {
    for (text, problem) in [
        (
            r#"telemetry { Statsd = [{ address = "a:1" }, { address = "b:1" }] }"#,
            "Statsd is not supported yet: use Prometheus",
        ),
        (r#"telemetry { DogStatsd { address = "a:1" } }"#, "DogStatsd is not supported yet"),
        (r#"telemetry { M3 = [{ address = "a:1" env = "prod" }] }"#, "M3 is not supported yet"),
        ("telemetry { InMem { x = 1 } }", "unknown key \"x\""),
        ("telemetry { Prometheus { } }", "Prometheus has no port"),
        ("telemetry { Prometheus { port = 1 hots = \"x\" } }", "did you mean \"host\"?"),
        ("telemetry { MetricsPrefix = \"x\" }", "did you mean \"MetricPrefix\"?"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(problem) && error.contains("test.conf:1:"), "{text}: {error}");
    }
}
