//! OpenSSL, the verifier that most of the world runs: our certificates in its eyes, and its handshake with our proxy.

use std::path::PathBuf;
use std::process::Command;

use finial_testkit::{Dev, Finished, run, run_with_input};

use crate::peers::program;
use crate::proxy::{Backend, server_proxy};

const ID: &str = "spiffe://example.org/ns/interop/sa/openssl";

struct OpenSsl {
    program: PathBuf,
    /// Where the SVID, its key and the bundle were written.
    folder: PathBuf,
}

impl OpenSsl {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> String {
        run(&mut self.command(args)).expect_success()
    }

    /// Asks `/` of a TLS server over HTTP, and trusts it by our bundle only.
    fn ask(&self, port: u16, credential: &[&str]) -> Finished {
        let address = format!("127.0.0.1:{port}");
        let args =
            ["s_client", "-quiet", "-connect", &address, "-CAfile", "bundle.0.pem", "-verify_return_error"];
        run_with_input(self.command(&args).args(credential), "GET / HTTP/1.0\r\n\r\n")
    }
}

fn openssl() -> Option<(Dev, OpenSsl)> {
    let program = program("openssl")?;
    let dev = Dev::start();
    dev.identity(ID);
    let folder = dev.write_svid();
    Some((dev, OpenSsl { program, folder }))
}

#[test]
fn openssl_verifies_the_svid_for_both_roles() {
    let Some((_dev, openssl)) = openssl() else { return };
    for purpose in ["sslserver", "sslclient"] {
        let args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "bundle.0.pem"];
        let answer = openssl.run(&[&args[..], &["-untrusted", "svid.0.pem", "svid.0.pem"]].concat());
        assert_eq!(answer.trim(), "svid.0.pem: OK", "{purpose}");
    }
}

#[test]
fn openssl_reads_the_profile_of_an_x509_svid() {
    let Some((_dev, openssl)) = openssl() else { return };
    let text = openssl.run(&["x509", "-in", "svid.0.pem", "-noout", "-text"]);
    let expected: [&[&str]; 4] = [
        &["X509v3 Subject Alternative Name:", &format!("URI:{ID}")],
        &["X509v3 Key Usage: critical", "Digital Signature, Key Encipherment, Key Agreement"],
        &["X509v3 Extended Key Usage:", "TLS Web Server Authentication, TLS Web Client Authentication"],
        &["X509v3 Basic Constraints: critical", "CA:FALSE"],
    ];
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for extension in expected {
        assert!(has_extension(&lines, extension), "{extension:?} is not in\n{text}");
    }
}

/// Its title on one line, its value on the next; nothing but the two lines counts.
fn has_extension(lines: &[&str], extension: &[&str]) -> bool {
    lines.windows(2).any(|pair| pair == extension)
}

#[test]
fn openssl_reaches_a_backend_through_our_proxy() {
    let Some((dev, openssl)) = openssl() else { return };
    let backend = Backend::start();
    let (_proxy, port) = server_proxy(&dev, &backend, ID);
    let answer = openssl.ask(port, &["-cert", "svid.0.pem", "-key", "svid.0.key"]);
    assert!(answer.stdout.contains(Backend::GREETING), "{answer:?}");
}

#[test]
fn openssl_without_a_certificate_is_refused_by_our_proxy() {
    let Some((dev, openssl)) = openssl() else { return };
    let backend = Backend::start();
    let (_proxy, port) = server_proxy(&dev, &backend, ID);
    let answer = openssl.ask(port, &[]);
    assert!(answer.stderr.contains("alert certificate required"), "{answer:?}");
    assert_eq!(answer.stdout, "");
}
