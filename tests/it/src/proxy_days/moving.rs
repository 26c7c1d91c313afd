//! A target whose name moves to another address while the proxy runs.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use finial_testkit::{finial, run, skip, until};

use super::Site;

/// Says one letter to whoever connects.
fn backend(address: &str, letter: u8) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, &[letter]);
        }
    });
    port
}

/// In place: the file is mounted.
fn write_hosts(path: &Path, address: &str) {
    fs::write(path, format!("127.0.0.1 localhost\n{address} moving.test\n")).unwrap();
}

fn heard(mut stream: TcpStream) -> Option<u8> {
    let mut letter = [0];
    stream.read_exact(&mut letter).ok().map(|()| letter[0])
}

#[test]
fn new_connections_follow_a_name_to_its_new_address() {
    if !run(Command::new("unshare").args(["-Urm", "true"])).status.success() {
        return skip("user namespaces", false, "this kernel or container does not allow them");
    }
    let site = Site::new();
    let port = backend("127.0.0.2:0", b'a');
    backend(&format!("127.0.0.3:{port}"), b'b');
    let hosts = site.path("hosts");
    write_hosts(&hosts, "127.0.0.2");

    // /etc/hosts is another file for this process alone.
    let mut apart = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    apart.args(["-Urm", "sh", "-c", script]).arg(&hosts).arg(finial());
    let target = format!("moving.test:{port}");
    let server = site.proxy(apart, "server", &target, &["--unsafe-target", "--allow-all"]);
    let client = site.client(&server);
    assert_eq!(heard(client.dial()), Some(b'a'));

    write_hosts(&hosts, "127.0.0.3");
    until("connection to the new address", || heard(client.dial()).filter(|letter| *letter == b'b'));
    for _ in 0..10 {
        assert_eq!(heard(client.dial()), Some(b'b'));
    }
}
