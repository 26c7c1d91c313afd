//! A booted system in which the units of deploy/systemd are installed.

use std::path::{Path, PathBuf};

use finial_testkit::{Process, free_port, installed, run, systemd_root, until};

use super::Machine;
use crate::peers::privileged;

pub(super) const SERVER: &str = "spiffe://example.org/ns/example/sa/server-sa";
pub(super) const NODE: &str = "spiffe://example.org/node";
const SERVER_SOCKET: &str = "SPIRE_SERVER_PRIVATE_SOCKET=/run/finial-server/private/api.sock";
pub(super) const AGENT_SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET=unix:///run/finial-agent/public/api.sock";

fn deploy(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(folder)
}

pub(super) fn units() -> Vec<PathBuf> {
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

/// A booted system in which the units are installed. Its network is this machine's, so that all ports are replaced.
pub(super) struct System {
    pub(super) machine: Machine,
    /// Where the server serves agents.
    agents: u16,
    /// Where the proxy listens.
    front: u16,
}

impl System {
    /// Boots one, if this machine can; its proxy forwards to this port.
    pub(super) fn boot(backend: u16) -> Option<Self> {
        let root = systemd_root().filter(|_| installed("systemd-nspawn").is_some());
        let root = privileged("systemd", root)?;
        let system = Self { machine: Machine::boot(&root), agents: free_port(), front: free_port() };
        system.install(backend);
        Some(system)
    }

    /// Starts the server, and the agent with a token of its own. Each serves when its start is over.
    pub(super) fn start(&self) {
        self.systemctl(&["start", "finial-server.service"]);
        let health = self.server(&["server", "healthcheck"]);
        assert!(health.contains("is healthy"), "{health}");
        self.write("/etc/finial/bundle.pem", &self.server(&["bundle", "show"]));
        let token = self.server(&["token", "generate", "-spiffeID", NODE]);
        self.write("/etc/finial/join-token", token.trim().trim_start_matches("Token: "));
        self.systemctl(&["start", "finial-agent.service"]);
    }

    /// An identity for a unit.
    pub(super) fn entry(&self, id: &str, unit: &str) {
        let selector = format!("systemd:id:{unit}");
        self.server(&["entry", "create", "-parentID", NODE, "-spiffeID", id, "-selector", &selector]);
    }

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

    pub(super) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.machine.shared.path().join("file"), text).expect("a file to share");
        run(self.machine.command("install").args(["-D", "-m", "0644", "/shared/file", path]))
            .expect_success();
    }

    pub(super) fn systemctl(&self, args: &[&str]) {
        let done = run(self.machine.command("systemctl").args(args));
        assert!(done.status.success(), "{done:?}\n{}", self.journal());
    }

    /// What systemd says of a unit.
    pub(super) fn property(&self, unit: &str, name: &str) -> String {
        let mut command = self.machine.command("systemctl");
        let value = run(command.args(["show", "--value", "--property", name, unit])).expect_success();
        value.trim().to_owned()
    }

    /// What all units have said.
    pub(super) fn journal(&self) -> String {
        run(self.machine.command("journalctl").args(["--no-pager", "--unit", "finial-*"])).stdout
    }

    /// A command of the server, as root.
    pub(super) fn server(&self, args: &[&str]) -> String {
        let mut command = self.machine.command("env");
        let done = run(command.args([SERVER_SOCKET, "finial"]).args(args));
        if done.status.success() { done.stdout } else { done.stderr }
    }

    /// A helper that writes for the user `daemon`.
    pub(super) fn help(&self, unit: &str) {
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
            let status = self.property(unit, "StatusText");
            status.contains("everything is written; the first expires at ").then_some(())
        });
        self.systemctl(&["restart", unit]);
        self.systemctl(&["stop", unit]);
        assert_eq!(self.property(unit, "Result"), "success", "{}", self.journal());
    }

    /// The proxy of a caller, as the unit of this name, and its port.
    pub(super) fn client(&self, unit: &str) -> (Process, u16) {
        let port = free_port();
        let mut command = self.machine.command("systemd-run");
        command.args(["--wait", "--pipe", "--quiet", "--collect", "--unit", unit]);
        command.args([&format!("--setenv={AGENT_SOCKET}"), "finial", "proxy", "client"]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--target", &format!("127.0.0.1:{}", self.front), "--verify-uri", SERVER]);
        (Process::spawn(unit, &mut command), port)
    }
}
