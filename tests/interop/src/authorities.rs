//! Authorities with RSA keys, in the eyes of those who verify what they sign.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Pair, Process, go_peer, python, run};

use crate::peers::{peer, program};

const ID: &str = "spiffe://example.org/web";

/// A server whose X.509 authority is RSA-4096 and whose JWT authority is RSA-2048, and an agent of it.
struct Domain {
    pair: Pair,
    _server: Process,
    _agent: Process,
}

impl Domain {
    fn start() -> Self {
        let pair = Pair::new();
        let settings = "    ca_key_type = \"rsa-4096\"\n    jwt_key_type = \"rsa-2048\"\n    ca_subject { country = \
                        [\"DE\"] organization = [\"Example\"] common_name = \"Example CA\" }";
        let server = pair.server_with(settings, "NodeAttestor \"join_token\" {}");
        let agent = pair.join();
        Self { pair, _server: server, _agent: agent }
    }

    /// A program that asks the Workload API.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", self.pair.path("agent.sock")));
        command
    }
}

#[test]
fn openssl_verifies_svids_of_rsa_authorities() {
    let Some(openssl) = program("openssl") else { return };
    let domain = Domain::start();
    let folder = domain.pair.path("svid");
    std::fs::create_dir(&folder).unwrap();
    domain.pair.cli(&["api", "fetch", "x509", "-write", &folder]).expect_success();
    let openssl =
        |args: &[&str]| run(Command::new(&openssl).current_dir(&folder).args(args)).expect_success();
    for purpose in ["sslserver", "sslclient"] {
        let answer = openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            "bundle.0.pem",
            "svid.0.pem",
        ]);
        assert_eq!(answer.trim(), "svid.0.pem: OK", "{purpose}");
    }
    let authority = openssl(&["x509", "-in", "bundle.0.pem", "-noout", "-text"]);
    for part in [
        "Public-Key: (4096 bit)",
        "sha256WithRSAEncryption",
        "C = DE, O = Example, CN = Example CA, serialNumber = ",
    ] {
        assert!(authority.contains(part), "{part}\n{authority}");
    }
    assert!(openssl(&["x509", "-in", "svid.0.pem", "-noout", "-text"]).contains("sha256WithRSAEncryption"));
}

#[test]
fn py_spiffe_validates_svids_of_rsa_authorities() {
    let Some(python) = peer("py-spiffe", python("spiffe")) else { return };
    let domain = Domain::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("py/fetch_and_validate.py");
    let mut command = domain.command(&python);
    // -B: no caches in the source tree.
    let mut script = Process::spawn("fetch_and_validate", command.arg("-uB").arg(script).arg(ID));
    assert!(script.wait().success() && script.log().contains("ALL DONE"), "{}", script.log());
}

#[test]
fn go_spiffe_validates_a_token_of_an_rsa_authority() {
    let Some(program) = peer("go-spiffe", go_peer("workload")) else { return };
    let domain = Domain::start();
    let answer = run(domain.command(&program).arg("validate")).expect_success();
    assert_eq!(answer.trim(), format!("{ID} {ID}"));
}
