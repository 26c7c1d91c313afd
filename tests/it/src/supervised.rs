//! Server, agent, and both in one, as a systemd unit with `Type=notify` and `WatchdogSec=` sees them.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use finial_testkit::{Pair, Process, finial, free_port};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Starts the program and hears that it serves, lives and stops.
fn tells_each_state(name: &str, command: &mut Command, status: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut process = Process::spawn(name, command);
    assert_eq!(hear(&mut process, &socket, "READY=1"), format!("READY=1\nSTATUS={status}"), "{name}");
    assert_eq!(hear(&mut process, &socket, "WATCHDOG=1"), "WATCHDOG=1", "{name}");
    assert_eq!(hear(&mut process, &socket, "WATCHDOG=1"), "WATCHDOG=1", "{name}");
    kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(hear(&mut process, &socket, "STOPPING=1"), "STOPPING=1\nSTATUS=stopping", "{name}");
    assert_eq!(process.wait().code(), Some(0), "{name}: {}", process.log());
}

/// The next message that begins so; signs of life come between the others.
fn hear(process: &mut Process, socket: &UnixDatagram, begins: &str) -> String {
    socket.set_nonblocking(true).unwrap();
    process.until(begins, || {
        let mut buffer = [0; 512];
        let count = socket.recv(&mut buffer).ok()?;
        let message = String::from_utf8_lossy(&buffer[..count]).into_owned();
        Some(message).filter(|message| message.starts_with(begins))
    })
}

fn program(words: &[&str], folder: &str, data: &Path) -> Command {
    let mut command = Command::new(finial());
    command.args(words).arg(folder).arg(data);
    command
}

#[test]
fn systemd_is_told_each_state_of_server_agent_and_dev() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut dev = program(&["dev"], "--data-dir", &path("dev"));
    tells_each_state("dev", &mut dev, "serving example.org");

    let port = free_port().to_string();
    let run =
        ["server", "run", "-trustDomain", "example.org", "-bindAddress", "127.0.0.1", "-serverPort", &port];
    let mut server = program(&run, "-dataDir", &path("server"));
    server.arg("-socketPath").arg(path("server.sock"));
    tells_each_state("server", &mut server, &format!("serving on 127.0.0.1:{port}"));

    let pair = Pair::new();
    let _server = pair.server();
    let (port, token) = (pair.port().to_string(), pair.token());
    let run =
        ["agent", "run", "-trustDomain", "example.org", "-serverAddress", "127.0.0.1", "-serverPort", &port];
    let mut agent = program(&run, "-dataDir", &path("agent"));
    let socket = path("agent.sock");
    agent.args(["-joinToken", &token, "-trustBundle"]).arg(pair.bundle()).arg("-socketPath").arg(&socket);
    tells_each_state("agent", &mut agent, &format!("serving on {}", socket.display()));
}
