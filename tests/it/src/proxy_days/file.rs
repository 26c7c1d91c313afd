//! `finial proxy run` and `check`: a configuration file that changes, breaks and is asked about.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Process, finial, free_port, run, until};
use rustix::process::{Pid, Signal, kill_process};

use super::backend::Backend;
use super::{Site, echo};

/// A server before the backend of the site, and clients by which it is reached, in one file.
pub(super) struct House {
    pub(super) site: Site,
    server: u16,
}

impl House {
    pub(super) fn new() -> Self {
        Self { site: Site::new(), server: free_port() }
    }

    fn path(&self) -> PathBuf {
        self.site.path("proxy.conf")
    }

    pub(super) fn write(&self, clients: &[u16]) {
        self.write_with(&self.site.path("pair.pem"), clients);
    }

    /// With certificate and key from this file.
    pub(super) fn write_with(&self, pair: &Path, clients: &[u16]) {
        let path = |name| self.site.path(name).display().to_string();
        let (root, backend, server, pair) = (path("root.pem"), path("backend"), self.server, pair.display());
        let mut text = format!(
            "keystore = \"{pair}\"\ncacert = \"{root}\"\nserver \"web\" {{\n  listen = \"127.0.0.1:{server}\"\n  \
             target = \"unix:{backend}\"\n  allow_dns = \"localhost\"\n}}\n"
        );
        for port in clients {
            text += &format!(
                "client \"to-web-{port}\" {{\n  listen = \"127.0.0.1:{port}\"\n  target = \"localhost:{server}\"\n}}\n"
            );
        }
        fs::write(self.path(), text).unwrap();
    }

    pub(super) fn run(&self, flags: &[&str]) -> Process {
        let mut command = Command::new(finial());
        Process::spawn("proxy run", command.args(["proxy", "run", "-config"]).arg(self.path()).args(flags))
    }

    fn check(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(finial());
        let checked = run(command.args(["proxy", "check", "-config"]).arg(self.path()).args(args));
        (checked.status.code(), checked.stdout + &checked.stderr)
    }
}

pub(super) fn signal(process: &Process, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), signal).unwrap();
}

/// An open connection by way of this client, when it is there.
pub(super) fn through(port: u16) -> TcpStream {
    until("an echo through the listener", || {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(finial_testkit::LIMIT)).unwrap();
        echo(&stream).ok().map(|()| stream)
    })
}

#[test]
fn file_that_changes_or_breaks_costs_no_open_connection() {
    let house = House::new();
    let _backend = Backend::echoing(&house.site);
    let (first, second) = (free_port(), free_port());
    house.write(&[first]);
    let mut proxy = house.run(&[]);
    let open = through(first);

    house.write(&[first, second]);
    signal(&proxy, Signal::HUP);
    let added = through(second);
    echo(&open).unwrap();

    fs::write(house.path(), "server \"web\" {\n  listen = \n}\n").unwrap();
    signal(&proxy, Signal::HUP);
    proxy.wait_for_log("so that nothing changes");
    echo(&open).unwrap();
    echo(&added).unwrap();
    drop(through(first));

    house.write(&[second]);
    signal(&proxy, Signal::HUP);
    until("the end of the listener", || TcpStream::connect(("127.0.0.1", first)).err());
    echo(&open).unwrap();

    drop((open, added));
    signal(&proxy, Signal::TERM);
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
}

#[test]
fn check_tells_by_its_exit_code_who_would_be_let_in() {
    let house = House::new();
    house.write(&[free_port()]);
    let (code, told) = house.check(&[]);
    assert_eq!((code, told.contains("server \"web\"")), (Some(0), true), "{told}");

    let pair = house.site.path("pair.pem").display().to_string();
    let (code, told) = house.check(&["-listener", "web", "-cert", &pair]);
    assert_eq!((code, told.contains("permitted")), (Some(0), true), "{told}");

    let other = Site::new();
    let stranger = other.path("pair.pem").display().to_string();
    let (code, told) = house.check(&["-listener", "web", "-cert", &stranger, "-output", "json"]);
    let json: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!((code, &json["ok"]), (Some(1), &serde_json::Value::Bool(false)), "{told}");

    fs::write(house.path(), "server \"web\" {\n  lisen = \"127.0.0.1:1\"\n}\n").unwrap();
    let (code, told) = house.check(&[]);
    assert_eq!((code, told.contains("lisen") && told.contains(":2:")), (Some(1), true), "{told}");
}
