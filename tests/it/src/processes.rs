//! Server and agent as processes of their own, each killed in its turn; and a journal that was damaged meanwhile.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use finial_testkit::{Finished, Process, finial, free_port, run, until};

const NODE: &str = "spiffe://example.org/node";

/// A server and an agent, by flags alone, on a folder that outlives them.
struct Pair {
    folder: tempfile::TempDir,
    port: u16,
}

impl Pair {
    fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("finial").tempdir().unwrap(), port: free_port() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn server(&self) -> Process {
        let (port, data, socket) = (self.port.to_string(), self.path("server"), self.path("server.sock"));
        let flags =
            ["-bindAddress", "127.0.0.1", "-serverPort", &port, "-dataDir", &data, "-socketPath", &socket];
        let mut command = Command::new(finial());
        let process = Process::spawn(
            "server",
            command.args(["server", "run", "-trustDomain", "example.org"]).args(flags),
        );
        until("healthy server", || self.cli(&["server", "healthcheck"]).status.success().then_some(()));
        process
    }

    fn agent(&self, flags: &[&str]) -> Process {
        let (port, data, socket) = (self.port.to_string(), self.path("agent"), self.path("agent.sock"));
        let mut command = Command::new(finial());
        command.args(["agent", "run", "-trustDomain", "example.org", "-serverAddress", "127.0.0.1"]);
        command.args(["-serverPort", &port, "-dataDir", &data, "-socketPath", &socket]).args(flags);
        let process = Process::spawn("agent", &mut command);
        until("agent's socket", || Path::new(&socket).exists().then_some(()));
        process
    }

    /// Joins an agent and gives this user an identity.
    fn join(&self) -> Process {
        let bundle = self.path("bundle.pem");
        std::fs::write(&bundle, self.cli(&["bundle", "show"]).expect_success()).unwrap();
        let token = self.cli(&["token", "generate", "-spiffeID", NODE]).expect_success();
        let token = token.trim().strip_prefix("Token: ").unwrap();
        let agent = self.agent(&["-joinToken", token, "-trustBundle", &bundle]);
        self.entry("web");
        agent
    }

    fn entry(&self, name: &str) {
        let selector = format!("unix:uid:{}", rustix::process::geteuid().as_raw());
        let id = format!("spiffe://example.org/{name}");
        self.cli(&["entry", "create", "-parentID", NODE, "-spiffeID", &id, "-selector", &selector])
            .expect_success();
        until(name, || self.cli(&["api", "fetch", "x509"]).stdout.contains(&id).then_some(()));
    }

    fn cli(&self, args: &[&str]) -> Finished {
        let agent = format!("unix://{}", self.path("agent.sock"));
        let mut command = Command::new(finial());
        command
            .env("SPIFFE_ENDPOINT_SOCKET", agent)
            .env("SPIRE_SERVER_PRIVATE_SOCKET", self.path("server.sock"));
        run(command.args(args))
    }
}

#[test]
fn a_killed_server_is_missed_by_nobody_and_found_again() {
    let pair = Pair::new();
    let mut server = pair.server();
    let _agent = pair.join();
    server.kill();
    pair.cli(&["api", "fetch", "x509"]).expect_success();
    let _server = pair.server();
    pair.entry("after");
}

#[test]
fn a_killed_agent_comes_back_as_itself_without_a_token() {
    let pair = Pair::new();
    let _server = pair.server();
    let mut agent = pair.join();
    let before = pair.cli(&["agent", "list"]).expect_success();
    agent.kill();
    let _agent = pair.agent(&[]);
    pair.entry("after");
    assert_eq!(pair.cli(&["agent", "list"]).expect_success(), before);
}

#[test]
fn a_damaged_journal_is_named_and_the_server_goes_on() {
    let pair = Pair::new();
    let mut server = pair.server();
    let mut agent = pair.join();
    agent.kill();
    server.kill();
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                  db.execute(\"UPDATE journal SET bytes = x'7b746f726e'\"); db.commit()";
    let database = pair.path("server/datastore.sqlite3");
    let status =
        Command::new("python3").args(["-c", script, &database]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());

    let server = pair.server();
    assert!(server.log().contains("journal"), "the log does not name the journal:\n{}", server.log());
    let _agent = pair.agent(&[]);
    pair.entry("after");
}
