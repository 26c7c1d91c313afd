//! The admin socket of an agent: explanations, delegated identity, log level and debug information.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use finial_receive::{Endpoint, connect};
use finial_testkit::{Finished, Pair, Process, finial, run, until};
use finial_wire::client::DelegatedIdentityClient;
use finial_wire::{DelegatedIdentities, DelegatedWorkload};
use futures_util::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tonic::Code;

const DELEGATE: &str = "spiffe://example.org/delegate";
const NODE: &str = "spiffe://example.org/node";

/// A server, and an agent whose delegate is every process of this user.
pub(crate) struct Case {
    agent: Process,
    _server: Process,
    pub(crate) pair: Pair,
    private: TempDir,
}

impl Case {
    pub(crate) fn start() -> Self {
        let pair = Pair::new();
        let server = pair.server();
        let private = tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").unwrap();
        let config = agent_config(&pair, private.path());
        let agent =
            Process::spawn("agent", Command::new(finial()).args(["agent", "run", "-config", &config]));
        pair.identity("delegate");
        Self { agent, _server: server, pair, private }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.private.path().join("admin.sock")
    }

    /// Runs a command at the admin socket.
    fn admin(&self, args: &[&str]) -> Finished {
        run(Command::new(finial()).args(args).arg("-socketPath").arg(self.socket()))
    }

    /// Registers what runs this program as `/workload`.
    fn register(&self, program: &Path) {
        let selector = format!("unix:path:{}", program.display());
        let create = ["entry", "create", "-parentID", NODE, "-spiffeID", "spiffe://example.org/workload"];
        let create = [&create[..], &["-selector", &selector, "-entryID", "workload"]].concat();
        self.pair.cli(&create).expect_success();
    }

    fn delegate(&self) -> DelegatedIdentityClient {
        DelegatedIdentityClient::new(connect(&Endpoint::Unix(self.socket())))
    }
}

fn agent_config(pair: &Pair, private: &Path) -> String {
    let (bundle, token, path) = (pair.bundle(), pair.token(), pair.path("agent.conf"));
    let text = format!(
        r#"agent {{
    trust_domain = "example.org"
    server_address = "127.0.0.1"
    server_port = "{port}"
    data_dir = "{data}"
    socket_path = "{socket}"
    admin_socket_path = "{private}/admin.sock"
    authorized_delegates = ["{DELEGATE}"]
    trust_bundle_path = "{bundle}"
    join_token = "{token}"
}}
plugins {{
    KeyManager "memory" {{}}
    NodeAttestor "join_token" {{}}
    WorkloadAttestor "unix" {{ plugin_data {{ discover_workload_path = true }} }}
}}
"#,
        port = pair.port(),
        data = pair.path("agent"),
        socket = pair.path("agent.sock"),
        private = private.display(),
        bundle = bundle.display(),
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// A program that waits until it is ended.
struct Workload(Child);

impl Workload {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn program(&self) -> PathBuf {
        std::fs::read_link(format!("/proc/{}/exe", self.pid())).unwrap()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn paths(identities: &DelegatedIdentities) -> Vec<&str> {
    identities.credentials.iter().map(|held| held.svid().id().path()).collect()
}

#[test]
fn a_process_is_explained_to_people_and_to_machines() {
    let case = Case::start();
    let workload = Workload::start();
    let pid = workload.pid().to_string();
    let explain = |more: &[&str]| case.admin(&[&["agent", "explain", "--pid", &pid], more].concat());

    case.register(Path::new("/no/such/program"));
    let page = until("the miss", || {
        let page = explain(&[]).expect_success();
        page.contains("the process lacks unix:path:/no/such/program").then_some(page)
    });
    assert!(page.starts_with(&format!("Process {pid} is served {DELEGATE}\n")), "{page}");
    assert!(page.contains(&format!("Process {pid}: {}, uid ", workload.program().display())), "{page}");
    for line in ["Entries that match: 1", "served: its X.509-SVID is valid for 59m", "Entries that do not: "]
    {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(page.lines().count() < 40, "more than a screen: {page}");

    let json: Value = serde_json::from_str(&explain(&["-output", "json"]).expect_success()).unwrap();
    assert_eq!(json["process"]["pid"], workload.pid());
    assert_eq!(json["attestors"][0]["name"], "unix");
    assert_eq!(json["matches"][0]["spiffe_id"]["path"], "/delegate");
    let expires_at: u64 = json["matches"][0]["expires_at"].as_str().unwrap().parse().unwrap();
    let renews_at: u64 = json["matches"][0]["renews_at"].as_str().unwrap().parse().unwrap();
    assert!(renews_at > 0 && renews_at < expires_at, "{json}");

    drop(workload);
    let gone = explain(&[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        gone.stderr.contains(&format!("code = NotFound desc = process {pid} has ended, or never was")),
        "{}",
        gone.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_gets_the_identities_of_a_process_until_it_ends() {
    let case = Case::start();
    let workload = Workload::start();
    case.register(&workload.program());
    let named = DelegatedWorkload::Process(workload.pid());
    let mut updates = case.delegate().x509_svids(&named).await.unwrap();
    let mut seen = updates.next().await.unwrap().unwrap();
    while !paths(&seen).contains(&"/workload") {
        seen = updates.next().await.unwrap().unwrap();
    }
    assert_eq!(seen.credentials.len(), 2, "what the user is given, and what the program is");
    let audience = finial_identity::Audience::new(["db"]).unwrap();
    assert_eq!(case.delegate().jwt_svids(&named, &audience).await.unwrap().len(), 2);
    let bundles = case.delegate().x509_bundles().await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(bundles.len(), 1);
    let keys = case.delegate().jwt_bundles().await.unwrap().next().await.unwrap().unwrap();
    assert!(!keys.iter().next().unwrap().jwt_authorities.is_empty());

    drop(workload);
    case.pair.cli(&["entry", "delete", "-entryID", "workload"]).expect_success();
    let end = updates.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::NotFound, "{end:?}");
    let refused = case.delegate().x509_svids(&named).await.err().unwrap();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_delegate_any_more_is_cut_off() {
    let case = Case::start();
    let mut bundles = case.delegate().x509_bundles().await.unwrap();
    bundles.next().await.unwrap().unwrap();
    let shown = case.pair.cli(&["entry", "show", "-spiffeID", DELEGATE]).expect_success();
    let id = shown.lines().find_map(|line| line.strip_prefix("Entry ID                : ")).unwrap();
    case.pair.cli(&["entry", "delete", "-entryID", id]).expect_success();
    let end = bundles.next().await.unwrap().unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::PermissionDenied, "no identity issued"));
}

#[test]
fn the_log_level_is_changed_while_agent_and_server_run() {
    let case = Case::start();
    let agent = |args: &[&str]| case.admin(&[&["agent", "logger"], args].concat());
    let server = |args: &[&str]| case.pair.cli(&[&["server", "logger"], args].concat());
    let text = |current: &str| format!("Logger Level : {current}\nLaunch Level : info\n\n");
    for logger in [&agent as &dyn Fn(&[&str]) -> Finished, &server] {
        assert_eq!(logger(&["get"]).expect_success(), text("info"));
        assert_eq!(logger(&["set", "-level", "debug"]).expect_success(), text("debug"));
        assert_eq!(logger(&["set", "-level", "WARN"]).expect_success(), text("warning"));
        assert_eq!(logger(&["reset"]).expect_success(), text("info"));
        let json = logger(&["get", "-output", "json"]).expect_success();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json, serde_json::json!({"current_level": "INFO", "launch_level": "INFO"}));
        let refused = logger(&["set", "-level", "loud"]);
        assert_eq!(refused.stderr, "Error: the value \"loud\" is not a valid setting\n");
        assert_eq!(logger(&["set"]).stderr, "Error: a value (-level) must be set\n");
    }
    assert!(case.agent.log().contains("the log level was set"), "{}", case.agent.log());
}

#[test]
fn agent_and_server_say_how_they_are() {
    let case = Case::start();
    let info = case.admin(&["agent", "debug", "getinfo"]).expect_success();
    for line in [
        "Agent Debug Info:\n  Uptime:                          ",
        "\n  Cached X.509 SVIDs:              2\n",
        "\n  Cached JWT SVIDs:                0\n",
        "\n    [0] SPIFFE ID:  spiffe://example.org/spire/agent/join_token/",
        "\n        Subject:    O=SPIRE,C=US\n",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    let info = case.pair.cli(&["server", "debug", "getinfo"]).expect_success();
    for line in [
        "Server Debug Info:\n  Uptime:                  ",
        "\n  Registered Agents:       1\n",
        "\n  Registration Entries:    2\n",
        "\n  Federated Bundles:       0\n",
        "\n    [0] SPIFFE ID:  spiffe://example.org/spire/server\n",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
}

#[test]
fn the_admin_socket_is_for_this_user_and_group_alone() {
    let case = Case::start();
    let mode = std::fs::metadata(case.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o770);
    let health = case.admin(&["agent", "healthcheck"]);
    assert_eq!(health.expect_success(), "Agent is healthy.\n");
}

#[test]
fn without_an_admin_socket_the_commands_name_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let finished = run(Command::new(finial()).args(["agent", "logger", "get", "-socketPath"]).arg(&socket));
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("admin_socket_path"), "{}", finished.stderr);
}
