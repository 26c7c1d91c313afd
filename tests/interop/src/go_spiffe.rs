//! go-spiffe: the client library that most consumers of the Workload API are built with.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use finial_testkit::{Dev, Process, go_peer, run};

use crate::peers::peer;
use crate::proxy::{Backend, client_proxy, server_proxy};

const ID: &str = "spiffe://example.org/ns/interop/sa/go";
const INTERNAL: &str = "spiffe://example.org/ns/interop/sa/go-internal";
const SOMEBODY_ELSE: &str = "spiffe://example.org/somebody-else";

struct Workload {
    dev: Dev,
    program: PathBuf,
}

impl Workload {
    fn found() -> Option<Self> {
        let program = peer("go-spiffe", go_peer("workload"))?;
        let dev = Dev::start();
        dev.identity(ID);
        Some(Self { dev, program })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env("SPIFFE_ENDPOINT_SOCKET", self.dev.endpoint());
        command
    }

    /// One more identity of this user, which goes by a hint.
    fn also(&self, id: &str, hint: &str) {
        let user = std::fs::metadata("/proc/self").expect("the owner of this process").uid();
        let selector = format!("unix:uid:{user}");
        let node = ["entry", "create", "-parentID", "spiffe://example.org/dev/node", "-spiffeID", id];
        self.dev.cli(&[&node[..], &["-selector", &selector, "-hint", hint]].concat()).expect_success();
        finial_testkit::until("both identities", || {
            self.dev.cli(&["api", "fetch", "x509"]).stdout.contains(id).then_some(())
        });
    }

    /// A server that admits the one SPIFFE ID, and its port.
    fn server(&self, admitted: &str) -> (Process, u16) {
        let mut server = Process::spawn("go-spiffe server", &mut self.command(&["serve", admitted]));
        server.wait_for_log("127.0.0.1:");
        let address = server.log();
        let port = address.trim().rsplit(':').next().expect("a port").parse().expect("a number");
        (server, port)
    }
}

#[test]
fn its_x509_source_follows_a_rotation_of_the_authority() {
    let Some(workload) = Workload::found() else { return };
    let mut source = Process::spawn("go-spiffe", &mut workload.command(&["follow"]));
    source.wait_for_log(ID);
    let first = source.log();
    workload.dev.rotate_ca();
    // Each line: SPIFFE ID, serial number, number of authorities. Both authorities at first, then the new one alone.
    let serial = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    let old = first.lines().next().and_then(serial).expect("a serial number");
    finial_testkit::until("SVID of the new authority, and that authority alone", || {
        let log = source.log();
        let last = log.lines().last()?;
        (serial(last)? != old && last.ends_with(" 1")).then_some(())
    });
}

#[test]
fn its_client_is_told_every_identity_with_its_hint() {
    let Some(workload) = Workload::found() else { return };
    workload.also(INTERNAL, "internal");
    let answer = run(&mut workload.command(&["list"])).expect_success();
    let mut lines: Vec<&str> = answer.lines().map(str::trim_end).collect();
    lines.sort_unstable();
    let expected =
        ["jwt", "x509"].map(|kind| [format!("{kind} {ID}"), format!("{kind} {INTERNAL} internal")]);
    assert_eq!(lines, expected.concat());
}

#[test]
fn its_sources_take_the_identity_of_a_hint() {
    let Some(workload) = Workload::found() else { return };
    workload.also(INTERNAL, "internal");
    let answer = run(&mut workload.command(&["pick", "internal"])).expect_success();
    assert_eq!(answer.trim(), format!("{INTERNAL} {INTERNAL}"));
}

#[test]
fn its_client_reaches_its_server() {
    let Some(workload) = Workload::found() else { return };
    let (_server, port) = workload.server(ID);
    let address = format!("127.0.0.1:{port}");
    let answer = run(&mut workload.command(&["dial", &address, ID])).expect_success();
    assert!(answer.contains(&format!("hello, {ID}")), "{answer}");
    let refused = run(&mut workload.command(&["dial", &address, SOMEBODY_ELSE]));
    assert!(refused.stderr.contains("unexpected ID"), "{refused:?}");
}

#[test]
fn its_jwt_source_and_our_workload_api_agree_about_a_token() {
    let Some(workload) = Workload::found() else { return };
    let answer = run(&mut workload.command(&["validate"])).expect_success();
    assert_eq!(answer.trim(), format!("{ID} {ID}"));
}

#[test]
fn its_jwt_source_follows_a_rotation_of_the_authority() {
    let Some(workload) = Workload::found() else { return };
    let mut source = Process::spawn("go-spiffe", &mut workload.command(&["tokens"]));
    source.wait_for_log(ID);
    // Each line: SPIFFE ID, key, number of authorities, what they say of the token, and of the very first one.
    let line = |log: String| -> Option<Vec<String>> {
        Some(log.lines().last()?.split(' ').map(str::to_owned).collect())
    };
    let old = line(source.log()).expect("a line")[1].clone();
    workload.dev.rotate_jwt_authority(|step| {
        finial_testkit::until(step, || {
            let now = line(source.log())?;
            let is_old = now[1] == old;
            // A token that lasts is not replaced only because another key signs, but when its own is tainted.
            let followed = now[2] == "2" && (is_old || step != "prepare") && (!is_old || step != "taint");
            followed.then_some(())
        });
    });
    finial_testkit::until("the new authority alone", || {
        (line(source.log())?[2..] == ["1", "good", "refused"]).then_some(())
    });
    let log = source.log();
    assert!(log.lines().all(|line| line.split(' ').nth(3) == Some("good")), "{log}");
}

#[test]
fn its_client_reaches_a_backend_through_our_proxy() {
    let Some(workload) = Workload::found() else { return };
    let backend = Backend::start();
    let (_proxy, port) = server_proxy(&workload.dev, &backend, ID);
    let address = format!("127.0.0.1:{port}");
    let answer = run(&mut workload.command(&["dial", &address, ID])).expect_success();
    assert!(answer.contains(Backend::GREETING), "{answer}");
    let refused = run(&mut workload.command(&["dial", &address, SOMEBODY_ELSE]));
    assert!(refused.stderr.contains("unexpected ID"), "{refused:?}");
}

#[test]
fn our_proxy_reaches_its_server() {
    let Some(workload) = Workload::found() else { return };
    let (_server, port) = workload.server(ID);
    let (_proxy, front) = client_proxy(&workload.dev, port, ID);
    let answer = run(Command::new("curl").args(["-sS", "--http0.9", "--max-time", "10"]).arg(url(front)));
    assert_eq!(answer.expect_success().trim(), format!("hello, {ID}"));
}

#[test]
fn its_server_refuses_a_client_that_it_did_not_expect() {
    let Some(workload) = Workload::found() else { return };
    let (mut server, port) = workload.server(SOMEBODY_ELSE);
    let (_proxy, front) = client_proxy(&workload.dev, port, ID);
    let answer = run(Command::new("curl").args(["-sS", "--http0.9", "--max-time", "10"]).arg(url(front)));
    assert!(!answer.status.success() || answer.stdout.is_empty(), "{answer:?}");
    server.wait_for_log("unexpected ID");
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}
