//! The units of deploy/systemd, as they are, in a booted system: server, agent and proxy, and a request through them; and a
//! helper, whose files are there when its unit is.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Process, free_port, installed, run, systemd_root, until};

use super::Machine;
use crate::peers::{self, privileged};
use crate::proxy::Backend;

const SERVER: &str = "spiffe://example.org/ns/example/sa/server-sa";
const CLIENT: &str = "spiffe://example.org/ns/example/sa/client-sa";
const HELPER: &str = "spiffe://example.org/ns/example/sa/helper-sa";
const NODE: &str = "spiffe://example.org/node";
const SERVER_SOCKET: &str = "SPIRE_SERVER_PRIVATE_SOCKET=/run/finial-server/private/api.sock";
const AGENT_SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET=unix:///run/finial-agent/public/api.sock";
/// The most that `systemd-analyze security` may find exposed, in tenths: above 5.0 it calls it medium.
const EXPOSURE: &str = "--threshold=25";

fn deploy(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(folder)
}

fn units() -> Vec<PathBuf> {
    let files = std::fs::read_dir(deploy("systemd")).expect("the units").flatten().map(|entry| entry.path());
    let is_unit = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "service" || kind == "socket");
    let mut units: Vec<PathBuf> = files.filter(is_unit).collect();
    units.sort();
    assert!(units.len() >= 4, "{units:?}");
    units
}

/// The text of an example, in which each of these has been replaced.
fn adapted(path: &Path, replacements: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(path).expect("an example");
    for (from, to) in replacements {
        assert!(text.contains(from), "{}: no {from}", path.display());
        text = text.replace(from, to);
    }
    text
}

#[test]
fn every_unit_is_understood_and_locked_in() {
    let Some(analyze) = peers::program("systemd-analyze") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = finial_testkit::finial();
    for unit in units() {
        // systemd asks whether the program is there.
        let text = std::fs::read_to_string(&unit).expect("a unit");
        let text = text.replace("/usr/bin/finial", &program.to_string_lossy());
        std::fs::write(folder.path().join(unit.file_name().expect("a name")), text).expect("its copy");
    }
    let file = |unit: &PathBuf| folder.path().join(unit.file_name().expect("a name"));
    let verified = run(Command::new(&analyze).arg("verify").args(units().iter().map(file)));
    assert_eq!((verified.stderr.as_str(), verified.status.code()), ("", Some(0)), "{verified:?}");
    for service in units().iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        run(Command::new(&analyze).args(["security", "--offline=true", EXPOSURE]).arg(file(service)))
            .expect_success();
    }
}

#[test]
fn units_of_systemd_carry_a_request_over_mutual_tls() {
    let root = systemd_root().filter(|_| installed("systemd-nspawn").is_some());
    let Some(root) = privileged("systemd", root) else { return };
    let system = System { machine: Machine::boot(&root), agents: free_port(), front: free_port() };
    let backend = Backend::start();
    system.install(backend.port());
    system.systemctl(&["start", "finial-server.service"]);
    until("server", || system.server(&["server", "healthcheck"]).contains("is healthy").then_some(()));

    system.write("/etc/finial/bundle.pem", &system.server(&["bundle", "show"]));
    let token = system.server(&["token", "generate", "-spiffeID", NODE]);
    system.write("/etc/finial/join-token", token.trim().trim_start_matches("Token: "));
    let helper = "finial-helper@daemon.service";
    for (id, unit) in [(SERVER, "finial-proxy.service"), (CLIENT, "client.service"), (HELPER, helper)] {
        let selector = format!("systemd:id:{unit}");
        system.server(&["entry", "create", "-parentID", NODE, "-spiffeID", id, "-selector", &selector]);
    }
    system.systemctl(&["start", "finial-agent.service", "finial-proxy.socket"]);

    let (mut client, port) = system.client("client");
    client
        .until("answer", || crate::envoy::get(port, "/").filter(|answer| answer.contains(Backend::GREETING)));
    // A service without an entry has no identity to come with.
    let (mut stranger, _) = system.client("stranger");
    stranger.wait_for_log("no identity issued");
    system.help(helper);
}

/// A booted system in which the units are installed. Its network is this machine's, so that all ports are replaced.
struct System {
    machine: Machine,
    /// Where the server serves agents.
    agents: u16,
    /// Where the proxy listens.
    front: u16,
}

impl System {
    /// Units and configurations, as the page beside them tells.
    fn install(&self, backend: u16) {
        let (agents, front) = (self.agents.to_string(), self.front.to_string());
        for unit in units() {
            let text = match unit.extension() {
                Some(kind) if kind == "socket" => adapted(&unit, &[("8443", &format!("127.0.0.1:{front}"))]),
                _ if unit.ends_with("finial-proxy.service") => {
                    adapted(&unit, &[("8080", &backend.to_string())])
                }
                _ => adapted(&unit, &[]),
            };
            let name = unit.file_name().expect("a name").to_string_lossy().into_owned();
            self.write(&format!("/etc/systemd/system/{name}"), &text);
        }
        let users = adapted(&deploy("systemd/finial.sysusers"), &[]);
        self.write("/usr/lib/sysusers.d/finial.conf", &users);
        run(&mut self.machine.command("systemd-sysusers")).expect_success();
        let server = [("\"8081\"", agents.as_str()), ("0.0.0.0", "127.0.0.1")];
        self.write("/etc/finial/server.conf", &adapted(&deploy("examples/server.conf"), &server));
        let agent = [
            ("\"8081\"", agents.as_str()),
            ("server.example.org", "127.0.0.1"),
            ("# join_token_file", "join_token_file"),
            ("# WorkloadAttestor \"systemd\"", "WorkloadAttestor \"systemd\""),
        ];
        self.write("/etc/finial/agent.conf", &adapted(&deploy("examples/agent.conf"), &agent));
        run(self.machine.command("ln").args(["-s", "/usr/local/bin/finial", "/usr/bin/finial"]))
            .expect_success();
        self.systemctl(&["daemon-reload"]);
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.machine.shared.path().join("file"), text).expect("a file to share");
        run(self.machine.command("install").args(["-D", "-m", "0644", "/shared/file", path]))
            .expect_success();
    }

    fn systemctl(&self, args: &[&str]) {
        let done = run(self.machine.command("systemctl").args(args));
        assert!(done.status.success(), "{done:?}\n{}", self.journal());
    }

    /// What all units have said.
    fn journal(&self) -> String {
        run(self.machine.command("journalctl").args(["--no-pager", "--unit", "finial-*"])).stdout
    }

    /// A command of the server, as root.
    fn server(&self, args: &[&str]) -> String {
        let mut command = self.machine.command("env");
        let done = run(command.args([SERVER_SOCKET, "finial"]).args(args));
        if done.status.success() { done.stdout } else { done.stderr }
    }

    /// A helper that writes for the user `daemon`.
    fn help(&self, unit: &str) {
        let lines = "svid_file_name = \"svid.pem\"\nsvid_key_file_name = \"svid.key\"\n\
                     svid_bundle_file_name = \"bundle.pem\"\nhook { cmd = \"id\" cmd_args = \"-un\" }\n";
        let folder = "/run/finial-helper/daemon";
        self.write("/etc/finial/helper/daemon.conf", &format!("cert_dir = \"{folder}\"\n{lines}"));
        // It returns when the unit is ready.
        self.systemctl(&["start", unit]);
        let shown =
            |program: &str, args: &[&str]| run(self.machine.command(program).args(args)).expect_success();
        let key = shown("stat", &["-L", "-c", "%U %a", &format!("{folder}/svid.key")]);
        assert_eq!(key.trim(), "daemon 600");
        until("status", || {
            let status = shown("systemctl", &["show", "--property", "StatusText", unit]);
            status.contains("everything is written; the first expires at ").then_some(())
        });
        self.systemctl(&["restart", unit]);
        self.systemctl(&["stop", unit]);
        let result = shown("systemctl", &["show", "--property", "Result", unit]);
        assert_eq!(result.trim(), "Result=success", "{}", self.journal());
    }

    /// The proxy of a caller, as the unit of this name, and its port.
    fn client(&self, unit: &str) -> (Process, u16) {
        let port = free_port();
        let mut command = self.machine.command("systemd-run");
        command.args(["--wait", "--pipe", "--quiet", "--collect", "--unit", unit]);
        command.args([&format!("--setenv={AGENT_SOCKET}"), "finial", "proxy", "client"]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--target", &format!("127.0.0.1:{}", self.front), "--verify-uri", SERVER]);
        (Process::spawn(unit, &mut command), port)
    }
}
