//! systemd as the first process of a container: agent and services inside, the server outside.

mod lives;
mod system;
mod units;

use std::path::Path;
use std::process::Command;

use finial_testkit::{Finished, Pair, Process, finial, installed, run, systemd_root, until};
use tempfile::TempDir;

use crate::peers::privileged;

/// A booted system.
struct Machine {
    system: Process,
    /// Shared with it, as `/shared`.
    shared: TempDir,
}

impl Drop for Machine {
    /// Ends the first process inside, and so all others: they outlive the program that started them.
    fn drop(&mut self) {
        if let Some(first) = first_process(self.system.id()) {
            run(Command::new("kill").args(["-KILL", &first]));
        }
    }
}

impl Machine {
    fn boot(root: &Path) -> Self {
        let shared = tempfile::tempdir().unwrap();
        let mut command = Command::new("systemd-nspawn");
        // Nothing is written to the root; the network is this machine's.
        command.args(["--boot", "--volatile=overlay", "--register=no", "--keep-unit", "--quiet"]);
        command.arg("--directory").arg(root);
        command.arg(format!("--bind={}:/shared", shared.path().display()));
        command.arg(format!("--bind-ro={}:/usr/local/bin/finial", finial().display()));
        let mut machine = Self { system: Process::spawn("systemd", &mut command), shared };
        let nspawn = machine.system.id();
        machine.system.until("systemd", || {
            let state = run(inside(nspawn)?.args(["systemctl", "is-system-running"])).stdout;
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
        machine
    }

    /// A command inside, in no unit.
    fn command(&self, program: &str) -> Command {
        let mut command = inside(self.system.id()).expect("it is running");
        command.arg(program);
        command
    }

    /// Fetches the identities of a process of this unit.
    fn fetch_as(&self, unit: &str) -> Finished {
        let mut command = self.command("systemd-run");
        command.args(["--wait", "--pipe", "--quiet", "--collect", "--unit", unit, SOCKET]);
        run(command.args(["finial", "api", "fetch", "x509"]))
    }

    fn agent(&self, pair: &Pair) -> Process {
        let text = format!(
            "agent {{ trust_domain = \"example.org\" server_address = \"127.0.0.1\" server_port = {}
               data_dir = \"/run/agent\" socket_path = \"/run/agent.sock\"
               trust_bundle_path = \"/shared/bundle.pem\" join_token = \"{}\" }}
             plugins {{
               NodeAttestor \"join_token\" {{ }}
               KeyManager \"memory\" {{ }}
               WorkloadAttestor \"systemd\" {{ }}
             }}",
            pair.port(),
            pair.token(),
        );
        std::fs::write(self.shared.path().join("agent.conf"), text).unwrap();
        std::fs::copy(pair.bundle(), self.shared.path().join("bundle.pem")).unwrap();
        let mut command = self.command("finial");
        let mut agent =
            Process::spawn("agent", command.args(["agent", "run", "-config", "/shared/agent.conf"]));
        agent.wait_for_log("the Workload API is served");
        agent
    }
}

const SOCKET: &str = "--setenv=SPIFFE_ENDPOINT_SOCKET=unix:///run/agent.sock";

/// Enters the namespaces of the system that this nspawn has started, if it has.
fn inside(nspawn: u32) -> Option<Command> {
    let mut command = Command::new("nsenter");
    command.args(["--all", "--target", &first_process(nspawn)?]);
    Some(command)
}

fn first_process(nspawn: u32) -> Option<String> {
    let children = std::fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}

fn entry(pair: &Pair, name: &str, selector: &str) {
    let id = format!("spiffe://example.org/{name}");
    let parent = ["-parentID", "spiffe://example.org/node"];
    pair.cli(&[&["entry", "create"], &parent[..], &["-spiffeID", &id, "-selector", selector]].concat())
        .expect_success();
}

#[test]
fn services_of_systemd_are_told_apart() {
    let root = systemd_root().filter(|_| installed("systemd-nspawn").is_some());
    let Some(root) = privileged("systemd", root) else { return };
    let (pair, machine) = (Pair::new(), Machine::boot(&root));
    let _server = pair.server();
    let agent = machine.agent(&pair);
    entry(&pair, "web", "systemd:id:web.service");
    entry(&pair, "file", "systemd:fragment_path:/run/systemd/transient/file.service");

    for name in ["web", "file"] {
        let what = format!("identity of {name}:\n{}", agent.log());
        let id = format!("spiffe://example.org/{name}");
        until(&what, || machine.fetch_as(name).stdout.contains(&id).then_some(()));
    }
    let other = machine.fetch_as("other");
    assert!(other.stderr.contains("no identity issued"), "{other:?}");
    let mut command = machine.command("env");
    command.args(["SPIFFE_ENDPOINT_SOCKET=unix:///run/agent.sock", "finial", "api", "fetch", "x509"]);
    let in_no_unit = run(&mut command);
    assert!(in_no_unit.stderr.contains("no identity issued"), "{in_no_unit:?}\n{}", agent.log());
}
