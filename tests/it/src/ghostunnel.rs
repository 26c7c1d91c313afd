//! The binary called `ghostunnel`: what people's scripts and log readers see of it.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Command, Output};

use finial_testkit::{Dev, Process, finial, free_port};
use tempfile::TempDir;

/// A folder with the binary under ghostunnel's name.
struct Installed(TempDir);

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(finial(), folder.path().join("ghostunnel")).unwrap();
        Self(folder)
    }

    /// Without variables but those that are set then.
    fn command(&self) -> Command {
        let mut command = Command::new(self.0.path().join("ghostunnel"));
        command.env_clear().env("TZ", "UTC");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// A file with a certificate that is its own authority, and its key.
    fn keystore(&self) -> PathBuf {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        self.file("server.pem", &format!("{}{}", certificate.pem(), key.serialize_pem()))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a line says after `[PID] 2006/01/02 15:04:05.000000 `.
fn said(line: &str) -> &str {
    let (process, rest) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).expect(line);
    process.parse::<u32>().expect(line);
    let (time, said) = rest.split_at_checked("2006/01/02 15:04:05.000000".len()).expect(line);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000/00/00 00:00:00.000000", "{line}");
    said.strip_prefix(' ').expect(line)
}

const SERVER: [&str; 5] = ["server", "--listen", "localhost:0", "--target", "localhost:1"];

#[test]
fn help_and_version_go_to_standard_error_with_success() {
    let ghostunnel = Installed::new();
    for (args, begins) in [
        (&["--help"][..], "A TLS proxy with mutual authentication"),
        (&["server", "--help"], "A TLS proxy with mutual authentication"),
        (&["help", "client"], "A TLS proxy with mutual authentication"),
        (&[], "A TLS proxy with mutual authentication"),
        (&["--version"], "rev "),
    ] {
        let output = ghostunnel.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(text(&output.stderr).starts_with(begins), "{args:?}: {}", text(&output.stderr));
    }
    let version = ghostunnel.run(&["--version"]).stderr;
    assert!(text(&version).ends_with(" built with finial (pkcs11: false, keychain: false)\n"));
}

#[test]
fn a_line_that_cannot_be_read_is_told_on_standard_error_alone() {
    let ghostunnel = Installed::new();
    for (args, fault) in [
        (&["--bogus"][..], "unknown long flag '--bogus'"),
        (&["server"], "required flag(s) '--listen', '--target' not provided"),
        (
            &["server", "--enable-shutdown", "--listen=a", "--target=b"],
            "--enable-shutdown requires --status to be set",
        ),
    ] {
        let output = ghostunnel.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert_eq!(text(&output.stderr), format!("ghostunnel: error: {fault}, try --help\n"));
    }
}

#[test]
fn a_fault_in_what_was_read_is_told_on_standard_error_and_in_the_log() {
    let ghostunnel = Installed::new();
    let output = ghostunnel.run(&SERVER);
    assert_eq!(output.status.code(), Some(1));
    let fault = "at least one of --keystore, --cert/--key, --auto-acme-cert, or --keychain-identity/issuer (if supported) flags is required";
    assert_eq!(text(&output.stderr), format!("error: {fault}\n"));
    let log: Vec<&str> = text(&output.stdout).lines().map(said).collect();
    let landlock = "setting up landlock rules to limit process privileges";
    assert_eq!(log, ["starting ghostunnel in server mode", landlock, &format!("error: {fault}")]);

    let quiet = ghostunnel.run(&[&SERVER[..], &["--quiet=all"]].concat());
    assert_eq!((text(&quiet.stdout), quiet.stderr), ("", output.stderr));
}

#[test]
fn variables_stand_for_flags_and_empty_ones_for_nothing() {
    let ghostunnel = Installed::new();
    let only = |variable: &str, value: &str| {
        let mut command = ghostunnel.command();
        command.args(SERVER).arg("--allow-all").env(variable, value);
        text(&command.output().unwrap().stderr).to_owned()
    };
    let none = only("UNRELATED", "1");
    assert!(none.starts_with("error: at least one of --keystore"), "{none}");
    for variable in
        ["KEYSTORE_PATH", "CERT_PATH", "KEY_PATH", "CACERT_PATH", "KEYSTORE_PASS", "SPIFFE_ENDPOINT_SOCKET"]
    {
        assert_eq!(only(variable, ""), none, "{variable}");
    }
    let keystore = only("KEYSTORE_PATH", "/nowhere/keystore.pem");
    assert!(keystore.contains("/nowhere/keystore.pem"), "{keystore}");

    let mut pair = ghostunnel.command();
    pair.args(SERVER).arg("--allow-all").env("CERT_PATH", "/nowhere/c.pem").env("KEY_PATH", "/nowhere/k.pem");
    let pair = pair.output().unwrap();
    assert!(text(&pair.stderr).contains("/nowhere/c.pem"), "{}", text(&pair.stderr));
}

/// The trap of the ancestor: on a node where the variable is set for every process, files are refused.
#[test]
fn the_agents_variable_alone_turns_the_workload_api_on_under_ghostunnels_name_only() {
    let ghostunnel = Installed::new();
    let keystore = ghostunnel.file("keystore.pem", "");
    let args = [&SERVER[..], &["--allow-all", "--keystore", keystore.to_str().unwrap()]].concat();
    let socket = ("SPIFFE_ENDPOINT_SOCKET", "unix:///nowhere/agent.sock");
    let called = ghostunnel.command().args(&args).env(socket.0, socket.1).output().unwrap();
    assert_eq!(
        text(&called.stderr),
        "error: --keystore, --cert/--key, --auto-acme-cert, and --keychain-identity/issuer flags are mutually exclusive\n"
    );
    let ours = Command::new(finial()).arg("proxy").args(&args).env(socket.0, socket.1).output().unwrap();
    assert!(text(&ours.stderr).contains("keystore.pem"), "{}", text(&ours.stderr));
}

#[test]
fn it_takes_ghostunnels_place_with_the_workload_api() {
    let (dev, ghostunnel) = (Dev::start(), Installed::new());
    let uid = format!("unix:uid:{}", rustix::process::getuid().as_raw());
    let (node, id) = ("spiffe://example.org/dev/node", "spiffe://example.org/proxy");
    dev.cli(&["entry", "create", "-parentID", node, "-spiffeID", id, "-selector", &uid]).expect_success();
    let port = free_port();
    let args = ghostunnel.file(
        "args",
        &format!("server\n--listen=127.0.0.1:{port}\n--target=localhost:1\n--allow-all\n--quiet=conns\n"),
    );
    let mut command = ghostunnel.command();
    command.arg(format!("@{}", args.display())).env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint());
    let mut proxy = Process::spawn("ghostunnel", &mut command);
    proxy.wait_for_port(port);
    proxy.wait_for_log("error on TLS handshake from 127.0.0.1:");
    let process = rustix::process::Pid::from_raw(i32::try_from(proxy.id()).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(proxy.wait().code(), Some(0));
    let log = proxy.log();
    let mut lines = log.lines().map(said).filter(|line| !line.starts_with("error on TLS handshake from"));
    for expected in [
        "starting ghostunnel in server mode",
        "setting up landlock rules to limit process privileges",
        "using SPIFFE Workload API as certificate source",
        "using target address localhost:1",
        &format!("listening for connections on 127.0.0.1:{port}"),
        "received SIGTERM, shutting down",
        "shutdown proxy, waiting for drain",
    ] {
        assert_eq!(lines.next(), Some(expected), "{log}");
    }
}

/// As a unit with `Type=notify-reload` and `WatchdogSec=` sees it.
#[test]
fn systemd_is_told_each_state_by_path_and_by_abstract_name() {
    let ghostunnel = Installed::new();
    let path = ghostunnel.0.path().join("notify");
    let name = format!("finial-story-{}", std::process::id());
    let abstracted = SocketAddr::from_abstract_name(&name).unwrap();
    for (address, socket) in [
        (path.display().to_string(), UnixDatagram::bind(&path).unwrap()),
        (format!("@{name}"), UnixDatagram::bind_addr(&abstracted).unwrap()),
    ] {
        let port = free_port();
        let mut command = ghostunnel.command();
        command.args(["server", "--target=localhost:1", "--allow-all", "--listen"]);
        command.arg(format!("127.0.0.1:{port}")).arg("--keystore").arg(ghostunnel.keystore());
        command.arg("--cacert").arg(ghostunnel.keystore());
        command.env("NOTIFY_SOCKET", &address).env("WATCHDOG_USEC", "200000");
        let mut proxy = Process::spawn("ghostunnel", &mut command);
        let process = rustix::process::Pid::from_raw(i32::try_from(proxy.id()).unwrap()).unwrap();
        let what = format!("server proxying 127.0.0.1:{port} => localhost:1");
        let mut hear = |begins: &str| hear(&mut proxy, &socket, begins);
        assert_eq!(hear("READY=1"), format!("READY=1\nSTATUS=listening | {what}"));
        assert_eq!(hear("WATCHDOG=1"), "WATCHDOG=1");
        assert_eq!(hear("WATCHDOG=1"), "WATCHDOG=1");
        rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
        let reloading = hear("RELOADING=1\nMONOTONIC_USEC=");
        assert!(reloading.ends_with(&format!("\nSTATUS=reloading | {what}")), "{reloading}");
        assert_eq!(hear("READY=1"), format!("READY=1\nSTATUS=listening | {what}"));
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        assert_eq!(hear("STOPPING=1"), format!("STOPPING=1\nSTATUS=stopping | {what}"));
        assert_eq!(proxy.wait().code(), Some(0));
    }
}

/// The next message that begins so; signs of life come between the others.
fn hear(proxy: &mut Process, socket: &UnixDatagram, begins: &str) -> String {
    socket.set_nonblocking(true).unwrap();
    proxy.until(begins, || {
        let mut buffer = [0; 512];
        let count = socket.recv(&mut buffer).ok()?;
        Some(text(&buffer[..count]).to_owned()).filter(|message| message.starts_with(begins))
    })
}
