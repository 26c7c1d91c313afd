//! Good configurations and bad ones, one rule broken each.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
mod bootstrap;
mod delivery;
mod k8s;
mod node_attestor;
mod workload_attestors;

use std::path::Path;

use finial_attest::{PeerPidfd, UnixConfig};
use finial_daemon::log::{Format, Level, Output, Settings};
use finial_identity::TrustDomain;

use super::{BundleFormat, Config, KeysConfig, TrustBundle};

const AGENT: &str = r#"agent {
  trust_domain = "example.org"
  server_address = "server.example.org"
  server_port = "8081"
}
"#;
const PLUGINS: &str = r#"plugins {
  KeyManager "disk" { plugin_data { directory = "/var/lib/agent" } }
  NodeAttestor "join_token" { plugin_data { } }
  WorkloadAttestor "unix" { plugin_data { } }
}
"#;

fn read(text: &str) -> Config {
    Config::from_hcl(text, "agent.conf").unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The smallest configuration, with one line more in its agent block.
fn with(line: &str) -> String {
    AGENT.replace("}\n", &format!("  {line}\n}}\n")) + PLUGINS
}

#[test]
fn the_smallest_configuration_has_the_defaults_of_spire() {
    let config = read(&(AGENT.to_owned() + PLUGINS));
    assert_eq!(config.trust_domain.name(), "example.org");
    assert_eq!(config.servers.to_string(), "server.example.org:8081");
    assert_eq!(config.socket_path, Path::new("/tmp/spire-agent/public/api.sock"));
    assert_eq!(config.data_dir, Path::new("."));
    assert_eq!(config.keys, KeysConfig::Disk("/var/lib/agent".into()));
    assert_eq!(config.unix, Some(UnixConfig::default()));
    assert_eq!(config.log, Settings::default());
    assert!(matches!(config.trust_bundle, TrustBundle::NotGiven));
    assert!(config.join_token.is_none() && config.join_token_file.is_none());
}

#[test]
fn every_key_is_taken() {
    let config = read(
        r#"
        agent {
          data_dir = "/var/lib/agent"
          trust_domain = "spiffe://example.org"
          server_address = "10.0.0.1"
          server_port = 8081
          socket_path = "/run/agent.sock"
          trust_bundle_path = "/etc/bundle.json"
          trust_bundle_format = "spiffe"
          insecure_bootstrap = false
          require_peer_pidfd = true
          join_token = "t-1"
          log_level = "DEBUG"
          log_format = "json"
          log_file = "/var/log/agent.log"
          log_source_location = true
        }
        plugins {
          KeyManager "memory" { }
          NodeAttestor "join_token" { }
          WorkloadAttestor "unix" {
            plugin_data { discover_workload_path = true workload_size_limit = -1 }
          }
        }"#,
    );
    assert_eq!(config.data_dir, Path::new("/var/lib/agent"));
    assert_eq!(config.socket_path, Path::new("/run/agent.sock"));
    assert!(matches!(&config.trust_bundle, TrustBundle::File(path) if path == Path::new("/etc/bundle.json")));
    assert_eq!(config.trust_bundle_format, BundleFormat::Spiffe);
    assert_eq!(config.join_token.as_deref(), Some("t-1"));
    let output = Output::File("/var/log/agent.log".into());
    let log = Settings { level: Level::Debug, format: Format::Json, output, source_location: true };
    assert_eq!(config.log, log);
    assert_eq!(config.keys, KeysConfig::Memory);
    assert_eq!(config.peer_pidfd, PeerPidfd::Required);
    let unix = config.unix.unwrap();
    assert!(unix.discover_workload_path);
    assert_eq!(unix.workload_size_limit, -1);
}

#[test]
fn bad_configurations_are_refused_by_name_and_line() {
    let full = AGENT.to_owned() + PLUGINS;
    let bad = [
        (PLUGINS.to_owned(), "agent.conf:1:1: there is no agent { } block: add one"),
        (AGENT.to_owned(), "there is no plugins { } block: add one"),
        (full.replace("  trust_domain = \"example.org\"\n", ""), "agent.conf:1:1: trust_domain is missing"),
        (full.replace("\"example.org\"", "\"Example.org\""), "agent.conf:2:3: trust_domain: "),
        (full.replace("\"server.example.org\"", "\"\""), "agent.conf:1:1: server_address is missing"),
        (full.replace("\"8081\"", "\"http\""), "agent.conf:4:17: server_port must be a whole number"),
        (with("rebootstrap_moda = \"auto\""), "agent.conf:5:3: unknown key \"rebootstrap_moda\" in agent"),
        (
            with("trust_bundle_format = \"der\""),
            "agent.conf:5:25: trust_bundle_format: unknown bundle format `der`: use pem or spiffe",
        ),
        (with("log_level = \"loud\""), "unknown log level `loud`"),
        (
            with("join_token = \"a\"\n  join_token_file = \"b\""),
            "agent.conf:6:3: join_token and join_token_file",
        ),
        (full.replace("\"disk\"", "\"tpm\""), "KeyManager \"tpm\" is unknown: use \"disk\" or \"memory\""),
        (full.replace("directory =", "folder ="), "directory is missing"),
        (
            full.replace("\"join_token\"", "\"sshpop\""),
            "NodeAttestor \"sshpop\" is not supported yet: use \"join_token\" or \"x509pop\"",
        ),
        (
            full.replace("WorkloadAttestor", "WorkloadAttester"),
            "there is no WorkloadAttestor: add WorkloadAttestor \"unix\" { }",
        ),
        (
            full.replace("  NodeAttestor", "  SVIDStore \"aws_secretsmanager\" { }\n  NodeAttestor"),
            "SVIDStore \"aws_secretsmanager\" is not supported yet: remove it",
        ),
        (
            full.clone() + "telemtry { }",
            "unknown key \"telemtry\" at the top level (did you mean \"telemetry\"?)",
        ),
        (
            with("profiling_enabled = true"),
            "agent.conf:5:3: profiling_enabled is not supported yet: remove it, and use perf",
        ),
        (
            with("experimental { broker { socket_path = \"/s\" } }"),
            "agent.conf:5:18: broker is not supported yet",
        ),
    ];
    for (text, problem) in bad {
        let error = Config::from_hcl(&text, "agent.conf").expect_err(problem).to_string();
        assert!(error.contains(problem), "{error}\nlacks {problem}");
    }
}

fn config(folder: &Path) -> Config {
    Config::new(TrustDomain::parse("example.org").unwrap(), "::1", 8081, folder)
}

#[test]
fn a_join_token_file_is_read_without_its_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let mut config = config(folder.path());
    assert!(config.read_join_token().unwrap().is_none());
    config.join_token_file = Some(path.clone());
    let error = config.read_join_token().unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    std::fs::write(&path, "t-1\n").unwrap();
    assert_eq!(config.read_join_token().unwrap().unwrap().as_str(), "t-1");
}

#[test]
fn debug_text_hides_the_join_token() {
    let mut config = config(Path::new("/tmp"));
    config.join_token = Some("very-secret".to_owned());
    assert!(!format!("{config:?}").contains("very-secret"));
}
