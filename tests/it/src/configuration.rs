//! Server and agent from whole configurations as SPIRE's users write them: HCL with every section that is served, and JSON.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use finial_testkit::{Finished, Pair, Process, finial, run};
use rustix::process::{Pid, Signal, kill_process};

/// All that a server is served, in the styles that SPIRE's documents have.
const SERVER: &str = r#"
# Variables are for -expandEnv.
server {
    bind_address = "127.0.0.1"
    bind_port = "${PORT}"
    trust_domain = "example.org"
    data_dir = "$HERE/server",
    socket_path = "$HERE/server.sock"
    log_file = "$HERE/server.log"
    log_level = "DEBUG"
    log_format = "text"
    log_source_location = true
    admin_ids = ["spiffe://example.org/ops",]
    agent_ttl = "2h" default_x509_svid_ttl = "30m" default_jwt_svid_ttl = "5m"
    ca_ttl = "48h"
    ca_key_type = "ec-p384" // for X.509 and JWT
    jwt_key_type = "ec-p256"
    jwt_issuer = "https://oidc.example.org"
    ca_subject = {
        country = ["US"],
        organization = ["SPIFFE"],
        common_name = "a whole configuration",
    }
    audit_log_enabled = false
    disable_jwt_svids = false
    max_attested_node_info_staleness = "0s"
    profiling_enabled = false
    proxy_protocol_trusted_cidrs = []
    prune_attested_nodes_expired_for = "720h"
    prune_attested_nodes_batch_size = 0x100
    prune_tofu_nodes = "false"
    ratelimit { attestation = false signing = "true" }
    federation { }
    experimental {
        cache_reload_interval = "10s"
        events_based_cache = false
        require_pq_kem = true
        feature_flags = []
    }
}

plugins {
    DataStore "sql" {
        plugin_data {
            database_type = "sqlite3"
            connection_string = "$HERE/server/datastore.sqlite3"
        }
    }
    KeyManager "disk" { plugin_data_file = "$HERE/keys.hcl" }
    NodeAttestor "join_token" { plugin_data {} }
    NodeAttestor "k8s_psat" { enabled = false plugin_data { clusters = { "a" = { } } } }
}

telemetry { }
health_checks { listener_enabled = false bind_port = "80" }
"#;

/// The same for an agent, as a chart renders it.
const AGENT: &str = r#"{
  "agent": {
    "data_dir": "$HERE/agent", "trust_domain": "example.org", "log_level": "info", "log_format": "json",
    "server_address": "127.0.0.1", "server_port": $PORT, "socket_path": "$HERE/agent.sock",
    "authorized_delegates": ["spiffe://example.org/delegate"], "admin_socket_path": "",
    "trust_bundle_path": "$HERE/bundle.pem", "trust_bundle_format": "pem", "insecure_bootstrap": false,
    "rebootstrap_mode": "never", "x509_svid_cache_max_size": 1000, "availability_target": null,
    "sds": [{ "default_svid_name": "default", "default_bundle_name": "ROOTCA" }],
    "experimental": { "sync_interval": "5s", "require_pq_kem": true }
  },
  "plugins": {
    "KeyManager": [{ "disk": { "plugin_data": { "directory": "$HERE/agent" } } }],
    "NodeAttestor": { "join_token": [{ "plugin_data": {} }] },
    "WorkloadAttestor": [{ "unix": { "plugin_data": { "discover_workload_path": true } } }]
  },
  "telemetry": {}
}"#;

struct Case {
    pair: Pair,
}

impl Case {
    fn new() -> Self {
        let pair = Pair::new();
        for (name, text) in [("server.conf", SERVER), ("agent.json", AGENT)] {
            std::fs::write(pair.path(name), text).unwrap();
        }
        let keys = format!("keys_path = \"{}\"\n", pair.path("server/keys.json"));
        std::fs::write(pair.path("keys.hcl"), keys).unwrap();
        Self { pair }
    }

    fn command(&self, words: &[&str], file: &str) -> Command {
        let mut command = Command::new(finial());
        command.args(words).args(["-expandEnv", "-config", &self.pair.path(file)]);
        let here = self.pair.path("");
        command.env("HERE", here.trim_end_matches('/')).env("PORT", self.pair.port().to_string());
        command
    }

    fn server(&self) -> Process {
        let mut server = Process::spawn("server", &mut self.command(&["server", "run"], "server.conf"));
        let is_healthy = || self.pair.cli(&["server", "healthcheck"]).status.success().then_some(());
        server.until("healthy server", is_healthy);
        server
    }
}

fn signal(process: &Process, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), signal).unwrap();
}

fn refused(finished: &Finished) -> &str {
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout);
    &finished.stderr
}

#[test]
fn whole_configurations_of_spire_issue_an_svid() {
    let case = Case::new();
    let valid = run(&mut case.command(&["server", "validate"], "server.conf"));
    assert_eq!(
        valid.stderr,
        format!(
            "Warning: {}:35:9: cache_reload_interval has no effect: the index follows each write at once\n",
            case.pair.path("server.conf")
        )
    );
    assert_eq!(valid.expect_success(), "SPIRE server configuration file is valid.\n");
    let mut server = case.server();

    case.pair.bundle();
    let token = case.pair.token();
    let mut command = case.command(&["agent", "run", "-joinToken", &token], "agent.json");
    let valid = run(&mut case.command(&["agent", "validate"], "agent.json")).expect_success();
    assert_eq!(valid, "SPIRE agent configuration file is valid.\n");
    let mut agent = Process::spawn("agent", &mut command);
    agent.wait_for_log("the Workload API is served");
    case.pair.identity("web");

    // The log of the agent is JSON, and each line says what SPIRE's does.
    signal(&agent, Signal::TERM);
    assert_eq!(agent.wait().code(), Some(0), "{}", agent.log());
    let log = agent.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["time"].is_string() && line["level"].is_string()), "{log}");
    assert_eq!(lines.last().unwrap()["msg"], "Agent stopped gracefully");

    signal(&server, Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert_eq!(server.log(), "", "all of it is in the log file");
    let log = std::fs::read_to_string(case.pair.path("server.log")).unwrap();
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("time=\"") && last.contains(" level=info func="), "{last}");
    assert!(last.ends_with(" msg=\"Server stopped gracefully\""), "{last}");
}

#[test]
fn log_file_that_was_renamed_is_opened_anew_at_sigusr2() {
    let case = Case::new();
    let mut server = case.server();
    let (log, old) = (case.pair.path("server.log"), case.pair.path("server.log.1"));
    // Readable for the group at the most, whatever umask the caller has.
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o137, 0);
    std::fs::rename(&log, &old).unwrap();
    signal(&server, Signal::USR2);
    server.until("new log file", || std::fs::metadata(&log).ok().filter(|file| file.len() > 0));
    assert!(std::fs::read_to_string(&log).unwrap().contains("the log file was opened anew"));
    // Where it ends the server of SPIRE, too, it would end this one if nobody listened.
    signal(&server, Signal::USR1);
    server.until("answer", || std::fs::read_to_string(&log).ok().filter(|log| log.contains("SIGUSR1")));
    assert!(case.pair.cli(&["server", "healthcheck"]).status.success());
}

#[test]
fn what_keeps_a_program_from_serving_ends_it_with_status_1() {
    let case = Case::new();
    let config = case.pair.path("server.conf");
    std::fs::write(&config, SERVER.replace("federation { }", "federation { federates_with \"a.test\" { } }"))
        .unwrap();
    for verb in ["run", "validate"] {
        let finished = run(&mut case.command(&["server", verb], "server.conf"));
        let expected = format!("Error: {config}:33:18: federates_with is not supported yet: remove it\n");
        assert_eq!(refused(&finished), expected);
    }
    std::fs::write(&config, SERVER).unwrap();
    let finished = run(case.command(&["server", "validate"], "server.conf").env_remove("PORT"));
    assert!(
        refused(&finished)
            .contains("server.conf:5:17: bind_port must be a whole number from 0 to 65535, not ``")
    );

    let _server = case.server();
    let second = run(case
        .command(&["server", "run", "-logFile", &case.pair.path("second.log")], "server.conf")
        .env("PORT", "0"));
    assert!(refused(&second).starts_with("Error: the server cannot start: "), "{}", second.stderr);
    let log = std::fs::read_to_string(case.pair.path("second.log")).unwrap();
    assert!(
        log.lines().last().unwrap().contains(" level=error ") && log.contains("msg=\"Server crashed\""),
        "{log}"
    );
}
