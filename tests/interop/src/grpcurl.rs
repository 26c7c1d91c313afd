//! grpcurl, a Go client that knows our services only by what reflection tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Dev, Finished, grpcurl, run};

use crate::peers::peer;

const ID: &str = "spiffe://example.org/ns/interop/sa/grpcurl";
const HEADER: &str = "workload.spiffe.io: true";

struct Grpcurl(PathBuf);

impl Grpcurl {
    fn found() -> Option<Self> {
        peer("grpcurl", grpcurl()).map(Self)
    }

    /// `flags`, then what is asked of the socket: `list`, or a method.
    fn ask(&self, socket: &Path, flags: &[&str], what: &str) -> Finished {
        let mut command = Command::new(&self.0);
        // Without it this version names the socket's path as the authority, which is no authority (RFC 3986 §3.2).
        command.args(["-plaintext", "-unix", "-authority", "localhost", "-max-time", "5"]);
        command.args(flags).arg(socket).arg(what);
        run(&mut command)
    }
}

#[test]
fn wep_15_grpcurl_lists_the_services_of_both_sockets() {
    let Some(grpcurl) = Grpcurl::found() else { return };
    let dev = Dev::start();
    let server = grpcurl.ask(&dev.server_socket(), &[], "list").expect_success();
    let names = ["agent", "bundle", "entry", "svid", "localauthority"];
    for (name, service) in names.iter().zip(["Agent", "Bundle", "Entry", "SVID", "LocalAuthority"]) {
        let full = format!("spire.api.server.{name}.v1.{service}");
        assert!(server.lines().any(|line| line == full), "{full} is not in\n{server}");
    }
    let agent = grpcurl.ask(&dev.agent_socket(), &[], "list").expect_success();
    for service in ["SpiffeWorkloadAPI", "envoy.service.secret.v3.SecretDiscoveryService"] {
        assert!(agent.lines().any(|line| line == service), "{service} is not in\n{agent}");
    }
}

#[test]
fn grpcurl_finds_both_sockets_healthy() {
    let Some(grpcurl) = Grpcurl::found() else { return };
    let dev = Dev::start();
    for socket in [dev.server_socket(), dev.agent_socket()] {
        let answer = grpcurl.ask(&socket, &[], "grpc.health.v1.Health/Check").expect_success();
        assert!(answer.contains("\"SERVING\""), "{answer}");
    }
}

#[test]
fn wep_02_wep_05_grpcurl_fetches_an_svid_without_tls_when_it_sends_the_security_header() {
    let Some(grpcurl) = Grpcurl::found() else { return };
    let dev = Dev::start();
    dev.identity(ID);
    // The stream stays open, so that it always ends by the deadline: only its first message counts.
    let answer = grpcurl.ask(&dev.agent_socket(), &["-H", HEADER], "SpiffeWorkloadAPI/FetchX509SVID");
    assert!(answer.stdout.contains(&format!("\"spiffeId\": \"{ID}\"")), "{}", answer.stderr);
}

#[test]
fn grpcurl_is_refused_without_the_security_header() {
    let Some(grpcurl) = Grpcurl::found() else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let answer = grpcurl.ask(&dev.agent_socket(), &[], "SpiffeWorkloadAPI/FetchX509SVID");
    assert!(answer.stderr.contains("InvalidArgument"), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
}
