//! A server and an agent as programs of their own, as on two machines: each may be started, killed, and started again.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Finished, Process, finial, free_port, run, until};

/// The alias under which a joined agent finds its entries.
const NODE: &str = "spiffe://example.org/node";

/// The folder of a server and an agent of `example.org`, which outlives both.
#[derive(Debug)]
pub struct Pair {
    folder: TempDir,
    port: u16,
}

impl Pair {
    /// An empty folder and a free port; nothing runs yet.
    ///
    /// # Panics
    /// When there is no room for the folder.
    #[expect(clippy::new_without_default, reason = "a folder and a port are no default")]
    pub fn new() -> Self {
        // In /tmp whatever TMPDIR says: the path of a Unix socket has at most 107 bytes.
        let folder =
            tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").expect("a temporary folder");
        Self { folder, port: free_port() }
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The port of 127.0.0.1 on which the server serves agents.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts a server with default settings and waits until it is healthy.
    ///
    /// # Panics
    /// With its log, when it does not become healthy.
    pub fn server(&self) -> Process {
        self.server_with("", "NodeAttestor \"join_token\" {}")
    }

    /// Starts a server with these lines in its `server` block and these node attestors, and waits until it is healthy.
    ///
    /// # Panics
    /// With its log, when it does not become healthy.
    pub fn server_with(&self, settings: &str, node_attestors: &str) -> Process {
        let mut process = Process::spawn("server", &mut self.server_command(settings, node_attestors));
        process
            .until("healthy server", || self.cli(&["server", "healthcheck"]).status.success().then_some(()));
        process
    }

    /// What [`server_with`](Self::server_with) starts: its configuration is written, and it does not run yet.
    ///
    /// # Panics
    /// When there is no room for the configuration.
    pub fn server_command(&self, settings: &str, node_attestors: &str) -> Command {
        let (port, data, config) = (self.port, self.path("server"), self.path("server.conf"));
        let mut text = String::from("server {\n    trust_domain = \"example.org\"\n");
        let _ =
            writeln!(text, "    data_dir = \"{data}\"\n    socket_path = \"{}\"", self.path("server.sock"));
        let _ =
            writeln!(text, "    bind_address = \"127.0.0.1\"\n    bind_port = \"{port}\"\n{settings}\n}}");
        let _ = writeln!(text, "plugins {{\n    DataStore \"sql\" {{ plugin_data {{");
        let _ = writeln!(text, "        database_type = \"sqlite3\"");
        let _ = writeln!(text, "        connection_string = \"{data}/datastore.sqlite3\"\n    }} }}");
        let _ = writeln!(
            text,
            "    KeyManager \"disk\" {{ plugin_data {{ keys_path = \"{data}/keys.json\" }} }}"
        );
        let _ = writeln!(text, "{node_attestors}\n}}");
        std::fs::write(&config, text).expect("the server's configuration");
        let mut command = Command::new(finial());
        command.args(["server", "run", "-config", &config]);
        command
    }

    /// Starts an agent with these flags and waits for its socket.
    ///
    /// # Panics
    /// With its log, when there is none.
    pub fn agent(&self, flags: &[&str]) -> Process {
        let mut process = Process::spawn("agent", &mut self.agent_command(flags));
        let socket = self.path("agent.sock");
        process.until("socket", || Path::new(&socket).exists().then_some(()));
        process
    }

    /// What [`agent`](Self::agent) starts.
    pub fn agent_command(&self, flags: &[&str]) -> Command {
        let (port, data, socket) = (self.port.to_string(), self.path("agent"), self.path("agent.sock"));
        let mut command = Command::new(finial());
        command.args(["agent", "run", "-trustDomain", "example.org", "-serverAddress", "127.0.0.1"]);
        command.args(["-serverPort", &port, "-dataDir", &data, "-socketPath", &socket]).args(flags);
        command
    }

    /// Joins an agent by a token, and gives this user the identity `/web`.
    ///
    /// # Panics
    /// When either does not come about.
    pub fn join(&self) -> Process {
        let (bundle, token) = (self.bundle(), self.token());
        let agent = self.agent(&["-joinToken", &token, "-trustBundle", &bundle.to_string_lossy()]);
        self.identity("web");
        agent
    }

    /// Writes the server's bundle to a file.
    ///
    /// # Panics
    /// When the server does not tell it.
    pub fn bundle(&self) -> PathBuf {
        let file = self.folder.path().join("bundle.pem");
        std::fs::write(&file, self.cli(&["bundle", "show"]).expect_success()).expect("a file for the bundle");
        file
    }

    /// A new join token whose agent gets the entries below `spiffe://example.org/node`.
    ///
    /// # Panics
    /// With the refusal.
    pub fn token(&self) -> String {
        let printed = self.cli(&["token", "generate", "-spiffeID", NODE]).expect_success();
        printed.trim().strip_prefix("Token: ").expect("a token").to_owned()
    }

    /// Gives this user the identity `spiffe://example.org/<name>`.
    ///
    /// # Panics
    /// With the refusal.
    pub fn entry(&self, name: &str) {
        let user = std::fs::metadata("/proc/self").expect("the owner of this process").uid();
        let (id, selector) = (format!("spiffe://example.org/{name}"), format!("unix:uid:{user}"));
        self.cli(&["entry", "create", "-parentID", NODE, "-spiffeID", &id, "-selector", &selector])
            .expect_success();
    }

    /// As [`entry`](Self::entry), and waits until the agent hands it out.
    ///
    /// # Panics
    /// When the agent does not within [`LIMIT`](crate::LIMIT).
    pub fn identity(&self, name: &str) {
        self.entry(name);
        let id = format!("spiffe://example.org/{name}");
        until(name, || self.cli(&["api", "fetch", "x509"]).stdout.contains(&id).then_some(()));
    }

    /// Runs the command line: commands of the agent, and those of the server, find their socket by themselves.
    pub fn cli(&self, args: &[&str]) -> Finished {
        let mut command = Command::new(finial());
        command.env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", self.path("agent.sock")));
        command.env("SPIRE_SERVER_PRIVATE_SOCKET", self.path("server.sock"));
        run(command.args(args))
    }
}
