//! Envoy, which takes its certificates and its trust from our agent by the Secret Discovery Service.

mod crowd;
mod proxies;
mod refusal;
mod service;
pub(crate) mod traefik;
mod trust;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use finial_testkit::{Process, free_port, run};

use crate::peers::peer;
use crate::proxy::Backend;

/// What the examples say, and what a test puts in its place.
const SOCKET: &str = "/spiffe-workload-api/spire-socket.sock";
const INBOUND: &str = "address: 0.0.0.0, port_value: 8443";
const TO_INBOUND: &str = "address: 127.0.0.1, port_value: 8443";

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The program, if it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    peer("envoy", finial_testkit::envoy())
}

/// An example configuration of deploy/examples/envoy.
pub(crate) fn example(name: &str) -> String {
    let path = examples().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/envoy")
}

/// A running Envoy. It ends when this is dropped.
pub(crate) struct Envoy {
    process: Process,
    port: u16,
    admin: u16,
}

impl Envoy {
    /// Starts it with an example configuration, in which the agent's socket and all ports are replaced.
    pub(crate) fn start(folder: &Path, socket: &Path, configuration: &str, target: u16) -> Self {
        let program = program().expect("the test has looked for it");
        let (port, admin) = (free_port(), free_port());
        let here = |port: u16| format!("address: 127.0.0.1, port_value: {port}");
        let text = configuration
            .replace(SOCKET, &socket.to_string_lossy())
            .replace(INBOUND, &here(port))
            .replace(&here(8001), &here(port))
            .replace(TO_INBOUND, &here(target))
            .replace(&here(8080), &here(target))
            .replace(&here(9901), &here(admin))
            .replace(&here(9902), &here(admin));
        let file = folder.join(format!("envoy-{port}.yaml"));
        std::fs::write(&file, text).expect("its configuration");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "info"]);
        Self { process: Process::spawn("envoy", &mut command), port, admin }
    }

    /// Waits until it has everything that it needs.
    pub(crate) fn live(mut self) -> Self {
        let admin = self.admin;
        self.process.until("readiness", || get(admin, "/ready").filter(|answer| answer.contains("LIVE")));
        self
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The sum of what it counted under names that end so, over all of its secrets.
    fn count(&self, name: &str) -> u64 {
        let stats = get(self.admin, "/stats").expect("its statistics");
        let counts = stats.lines().filter(|line| line.starts_with("sds."));
        let counts = counts.filter_map(|line| line.split_once(": "));
        counts.filter(|(key, _)| key.ends_with(name)).filter_map(|(_, count)| count.parse::<u64>().ok()).sum()
    }

    /// It took all that the agent sent.
    fn assert_content(&self) {
        assert_eq!(self.count("update_rejected"), 0, "{}", self.process.log());
        assert!(self.count("update_success") > 0, "{}", self.process.log());
    }
}

/// What the server on this port answers to one request, head and body; `None` when it does not.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Whether the service behind the Envoy answers a caller that shows a written SVID, and trusts everybody.
fn serves(curl: &Path, svid: &Path, envoy: &Envoy) -> bool {
    let mut command = Command::new(curl);
    command.args(["--silent", "--insecure", "--max-time", "5"]).current_dir(svid);
    command.args(["--cert", "svid.0.pem", "--key", "svid.0.key"]);
    let answer = run(command.arg(format!("https://127.0.0.1:{}/", envoy.port)));
    answer.stdout.contains(Backend::GREETING)
}

#[test]
fn envoy_accepts_every_example() {
    let Some(program) = program() else { return };
    let mut examples: Vec<PathBuf> =
        std::fs::read_dir(examples()).expect("examples").flatten().map(|entry| entry.path()).collect();
    examples.sort();
    assert!(!examples.is_empty());
    for example in examples {
        run(Command::new(&program).args(["--mode", "validate", "-l", "error", "-c"]).arg(&example))
            .expect_success();
    }
}
