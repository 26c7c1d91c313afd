//! Whom a helper tells, as processes: commands, hooks, and the program that it stands for.

mod exec;
mod health;
mod told;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use finial_testkit::{Dev, Process, finial, run, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const ID: &str = "spiffe://example.org/helper";

/// A trust domain in which every process of this user has an identity.
struct Site {
    dev: Dev,
    renewals: AtomicU32,
}

impl Site {
    fn new() -> Self {
        let site = Self::without_identity();
        site.dev.identity(ID);
        site
    }

    fn without_identity() -> Self {
        let site = Self { dev: Dev::start(), renewals: AtomicU32::new(0) };
        fs::create_dir(site.path("certs")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dev.folder().join(name)
    }

    /// A script, which finds the folder of this site in `$SITE`.
    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// The command of a helper with these lines in its file.
    fn command(&self, program: Command, verb: &str, lines: &str) -> Command {
        let (mut command, config) = (program, self.path("helper.conf"));
        let certs = self.path("certs").display().to_string();
        let files = "svid_file_name = \"svid.pem\"\nsvid_key_file_name = \"svid.key\"\nsvid_bundle_file_name = \"bundle.pem\"";
        fs::write(&config, format!("cert_dir = \"{certs}\"\n{files}\n{lines}\n")).unwrap();
        command.args(["helper", verb, "-config"]).arg(config);
        command.env("SPIFFE_ENDPOINT_SOCKET", self.dev.endpoint()).env("SITE", self.dev.folder());
        command
    }

    fn helper(&self, lines: &str) -> Process {
        Process::spawn("helper", &mut self.command(Command::new(finial()), "run", lines))
    }

    /// Has the agent hand out another SVID.
    fn renew(&self) {
        let shown = self.dev.cli(&["entry", "show", "-spiffeID", ID, "-output", "json"]).expect_success();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let entry = &shown["entries"][0];
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let parent = format!("spiffe://{}{}", text("/parent_id/trust_domain"), text("/parent_id/path"));
        let selector = format!("{}:{}", text("/selectors/0/type"), text("/selectors/0/value"));
        let name = format!("renewal-{}.example.org", self.renewals.fetch_add(1, Ordering::Relaxed));
        let (id, svid) = (text("/id"), self.path("certs/svid.pem"));
        let before = fs::read(&svid).ok();
        let args = ["entry", "update", "-entryID", &id, "-parentID", &parent, "-spiffeID", ID];
        self.dev.cli(&[&args[..], &["-selector", &selector, "-dns", &name]].concat()).expect_success();
        until("another SVID", || (fs::read(&svid).ok() != before).then_some(()));
    }

    /// Waits until a file is there.
    fn wait_for(&self, name: &str) -> String {
        until(name, || fs::read_to_string(self.path(name)).ok().filter(|text| !text.is_empty()))
    }
}

fn signal(process: &Process, signal: Signal) {
    signal_by_id(&process.id().to_string(), signal);
}

fn signal_by_id(process: &str, signal: Signal) {
    kill_process(Pid::from_raw(process.trim().parse().unwrap()).unwrap(), signal).unwrap();
}

/// Whether a process is there and no zombie.
fn lives(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The answer to one GET, head and body.
fn get(port: u16, path: &str) -> String {
    let url = format!("http://127.0.0.1:{port}{path}");
    run(Command::new("curl").args(["--silent", "--include", "--max-time", "10", &url])).stdout
}
