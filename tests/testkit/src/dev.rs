//! A trust domain of a test's own: `finial dev` in a temporary folder.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Finished, Process, finial, run, run_with_input, until};

/// A running `finial dev`. It ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub struct Dev {
    // Before the folder, so that the program ends first.
    process: Process,
    folder: TempDir,
    trust_domain: String,
}

impl Dev {
    /// Starts it for `example.org`, and waits until its agent is healthy.
    ///
    /// # Panics
    /// With its log, when it is not within [`LIMIT`](crate::LIMIT).
    pub fn start() -> Self {
        Self::serving("example.org")
    }

    /// The same for another trust domain.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn serving(trust_domain: &str) -> Self {
        // In /tmp whatever TMPDIR says: the path of a Unix socket has at most 107 bytes.
        let folder =
            tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").expect("a temporary folder");
        let mut command = Command::new(finial());
        command.arg("dev").arg("--data-dir").arg(folder.path()).args(["--trust-domain", trust_domain]);
        let process = Process::spawn("finial dev", &mut command);
        let mut dev = Self { process, folder, trust_domain: trust_domain.to_owned() };
        let mut check = Command::new(finial());
        check.args(["agent", "healthcheck", "-socketPath"]).arg(dev.agent_socket());
        dev.process.until("healthy agent", || run(&mut check).status.success().then_some(()));
        dev
    }

    /// Where all of it lies; tests may put their own files here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's socket.
    pub fn server_socket(&self) -> PathBuf {
        self.folder().join("server.sock")
    }

    /// The agent's socket.
    pub fn agent_socket(&self) -> PathBuf {
        self.folder().join("agent.sock")
    }

    /// The agent's socket as `SPIFFE_ENDPOINT_SOCKET` names it.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.agent_socket().display())
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Runs the command line: commands of the agent, and those of the server, find their socket by themselves.
    pub fn cli(&self, args: &[&str]) -> Finished {
        self.cli_with_input(args, "")
    }

    /// The same, with `input` on the standard input.
    pub fn cli_with_input(&self, args: &[&str], input: &str) -> Finished {
        let mut command = Command::new(finial());
        command.args(args);
        command.env("SPIFFE_ENDPOINT_SOCKET", self.endpoint());
        command.env("SPIRE_SERVER_PRIVATE_SOCKET", self.server_socket());
        run_with_input(&mut command, input)
    }

    /// Gives `spiffe_id` to the processes that show `selector`.
    ///
    /// # Panics
    /// With the refusal.
    pub fn entry(&self, spiffe_id: &str, selector: &str) {
        let node = format!("spiffe://{}/dev/node", self.trust_domain);
        let args = ["entry", "create", "-parentID", &node, "-spiffeID", spiffe_id, "-selector", selector];
        self.cli(&args).expect_success();
    }

    /// Gives `spiffe_id` to every process of this user, and waits until the agent hands it out.
    ///
    /// # Panics
    /// As [`entry`](Self::entry), and when the agent does not within [`LIMIT`](crate::LIMIT).
    pub fn identity(&self, spiffe_id: &str) {
        let user = std::fs::metadata("/proc/self").expect("the owner of this process").uid();
        self.entry(spiffe_id, &format!("unix:uid:{user}"));
        until("identity from the agent", || {
            self.cli(&["api", "fetch", "x509"]).stdout.contains(spiffe_id).then_some(())
        });
    }

    /// Writes this user's SVID, key and bundle to a folder: `svid.0.pem`, `svid.0.key`, `bundle.0.pem`.
    ///
    /// # Panics
    /// When there is none.
    pub fn write_svid(&self) -> PathBuf {
        let folder = self.folder().join("svid");
        std::fs::create_dir_all(&folder).expect("a folder for the SVID");
        self.cli(&["api", "fetch", "x509", "-write", &folder.to_string_lossy()]).expect_success();
        folder
    }

    /// Replaces the X.509 authority: prepares one, activates it, and once the agent has its own certificate from it,
    /// removes the old one from the bundle. Each SVID is issued anew.
    ///
    /// # Panics
    /// When a step is refused, or the agent does not follow within [`LIMIT`](crate::LIMIT).
    pub fn rotate_ca(&self) {
        self.rotate_ca_slowly(|_| {});
    }

    /// The same, with time for others to follow: `wait_after` is called when the next authority is in the bundle
    /// (`"prepare"`), and when the agent has its own certificate from it (`"activate"`).
    ///
    /// # Panics
    /// As [`rotate_ca`](Self::rotate_ca).
    pub fn rotate_ca_slowly(&self, mut wait_after: impl FnMut(&str)) {
        let old = text(&self.authority("x509", "show", &[]), "/active/authority_id");
        let new = text(&self.authority("x509", "prepare", &[]), "/prepared_authority/authority_id");
        wait_after("prepare");
        let before = self.agent_serial_number();
        self.authority("x509", "activate", &["-authorityID", &new]);
        self.authority("x509", "taint", &["-authorityID", &old]);
        until("agent certificate from the new authority", || {
            (self.agent_serial_number() != before).then_some(())
        });
        wait_after("activate");
        self.authority("x509", "revoke", &["-authorityID", &old]);
    }

    /// Replaces the JWT authority, with time for others to follow: `wait_after` is called when the next one is in the
    /// bundle (`"prepare"`), when it signs (`"activate"`), and when the old one is tainted (`"taint"`).
    ///
    /// # Panics
    /// When a step is refused.
    pub fn rotate_jwt_authority(&self, mut wait_after: impl FnMut(&str)) {
        let old = text(&self.authority("jwt", "show", &[]), "/active/authority_id");
        let new = text(&self.authority("jwt", "prepare", &[]), "/prepared_authority/authority_id");
        wait_after("prepare");
        for (verb, id) in [("activate", &new), ("taint", &old)] {
            self.authority("jwt", verb, &["-authorityID", id]);
            wait_after(verb);
        }
        self.authority("jwt", "revoke", &["-authorityID", &old]);
    }

    fn authority(&self, kind: &str, verb: &str, args: &[&str]) -> Value {
        self.json(&[&["localauthority", kind, verb], args].concat())
    }

    fn agent_serial_number(&self) -> String {
        text(&self.json(&["agent", "list"]), "/agents/0/x509svid_serial_number")
    }

    fn json(&self, args: &[&str]) -> Value {
        let answer = self.cli(&[args, &["-output", "json"]].concat()).expect_success();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("not JSON ({error}): {answer}"))
    }
}

fn text(answer: &Value, pointer: &str) -> String {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("no {pointer} in {answer}")).to_owned()
}
