//! What becomes of the agent's socket when its file is renamed, replaced, or its folder mounted away.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use finial_testkit::{Dev, Finished, Pair, Process, finial, run, skip, until};

const WEB: &str = "spiffe://example.org/web";

#[test]
fn a_renamed_socket_is_served_under_its_own_name_again() {
    let dev = Dev::start();
    let (socket, elsewhere) = (dev.agent_socket(), dev.folder().join("elsewhere.sock"));
    fs::rename(&socket, &elsewhere).unwrap();
    until("socket at its own name", || UnixStream::connect(&socket).ok());
    dev.cli(&["agent", "healthcheck"]).expect_success();
}

#[test]
fn a_file_that_took_the_sockets_place_is_not_deleted() {
    let dev = Dev::start();
    let (socket, file) = (dev.agent_socket(), dev.folder().join("precious"));
    fs::write(&file, "somebody's work").unwrap();
    fs::rename(&file, &socket).unwrap();
    until("complaint", || dev.log().contains("cannot be bound").then_some(()));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "somebody's work");
    fs::remove_file(&socket).unwrap();
    until("socket", || UnixStream::connect(&socket).ok());
}

#[test]
fn a_socket_that_somebody_else_serves_meanwhile_is_left_to_them() {
    let dev = Dev::start();
    let (socket, theirs) = (dev.agent_socket(), dev.folder().join("theirs.sock"));
    let other = UnixListener::bind(&theirs).unwrap();
    fs::rename(&theirs, &socket).unwrap();
    until("complaint", || dev.log().contains("cannot be bound").then_some(()));
    UnixStream::connect(&socket).unwrap();
    other.accept().unwrap();
    drop(other);
    until("socket", || dev.cli(&["agent", "healthcheck"]).status.success().then_some(()));
}

/// An agent in a mount namespace of its own, where tests may mount what they like.
struct Apart {
    pair: Pair,
    agent: Process,
    _server: Process,
}

impl Apart {
    fn start() -> Option<Self> {
        if !run(Command::new("unshare").args(["-Urm", "true"])).status.success() {
            skip("user namespaces", false, "this kernel or container does not allow them");
            return None;
        }
        let pair = Pair::new();
        let server = pair.server();
        let (bundle, token) = (pair.bundle(), pair.token());
        let (port, data, socket) = (pair.port().to_string(), pair.path("agent"), pair.path("run/agent.sock"));
        let mut command = Command::new("unshare");
        command.arg("-Urm").arg(finial()).args(["agent", "run", "-trustDomain", "example.org"]);
        command.args(["-serverAddress", "127.0.0.1", "-serverPort", &port, "-dataDir", &data]);
        command.args(["-socketPath", &socket, "-joinToken", &token, "-trustBundle"]).arg(bundle);
        let agent = Process::spawn("agent", &mut command);
        let entry = ["entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID", WEB];
        pair.cli(&[&entry[..], &["-selector", "unix:uid:0"]].concat()).expect_success();
        let apart = Self { pair, agent, _server: server };
        apart.serves();
        Some(apart)
    }

    /// Runs a program beside the agent, as the namespace's root.
    fn run(&self, program: &str, args: &[&str]) -> Finished {
        let mut command = Command::new("nsenter");
        command.args(["-U", "-m", "--preserve-credentials", "-t", &self.agent.id().to_string(), program]);
        command
            .args(args)
            .env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", self.pair.path("run/agent.sock")));
        run(&mut command)
    }

    fn serves(&self) {
        let finial = finial().display().to_string();
        until("identity in the namespace", || {
            self.run(&finial, &["api", "fetch", "x509"]).stdout.contains(WEB).then_some(())
        });
    }
}

#[test]
fn a_socket_whose_folder_is_mounted_away_is_back_in_the_new_one_and_after_it() {
    let Some(apart) = Apart::start() else { return };
    let folder = apart.pair.path("run");
    apart.run("mount", &["-t", "tmpfs", "none", &folder]).expect_success();
    apart.serves();
    // The agent may have its lock open there: the mount goes at once and is cleaned up later.
    apart.run("umount", &["--lazy", &folder]).expect_success();
    apart.serves();
}
