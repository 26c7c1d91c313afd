//! stunnel, with the files that the helper keeps fresh: mutual TLS before a service, and a new certificate by a signal.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Process, finial, run, until};

use super::{Ground, NAME, program};
use crate::proxy::Backend;

const CONFIGURATION: &str = "foreground = yes
    pid = {folder}/helper/stunnel.pid
    [service]
    accept = 127.0.0.1:{port}
    connect = 127.0.0.1:{target}
    cert = {folder}/helper/svid.pem
    key = {folder}/helper/svid.key
    CAfile = {folder}/helper/svid_bundle.pem
    verifyChain = yes
    ";

/// What curl is told by the service behind stunnel, and what it says itself.
fn ask(port: u16, files: &Path, presenting: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.current_dir(files).args([
        "--silent",
        "--show-error",
        "--max-time",
        "5",
        "--cacert",
        "svid_bundle.pem",
    ]);
    curl.args(presenting).arg("--resolve").arg(format!("{NAME}:{port}:127.0.0.1"));
    let asked = run(curl.arg(format!("https://{NAME}:{port}/")));
    asked.stdout + &asked.stderr
}

#[test]
fn stunnel_takes_the_helpers_files_and_their_renewals() {
    let Some(stunnel) = program("stunnel4") else { return };
    let ground = Ground::new();
    let files = ground.svid.join("helper");
    std::fs::create_dir(&files).expect("the folder of the files");
    let configuration = files.join("helper.conf");
    let text = format!(
        "cert_dir = \"{folder}\"\nsvid_file_name = \"svid.pem\"\nsvid_key_file_name = \"svid.key\"\n\
         svid_bundle_file_name = \"svid_bundle.pem\"\npid_file_name = \"{folder}/stunnel.pid\"\nrenew_signal = \"SIGHUP\"\n",
        folder = files.display()
    );
    std::fs::write(&configuration, text).expect("the helper's configuration");
    let mut helper = Command::new(finial());
    helper
        .args(["helper", "-config"])
        .arg(&configuration)
        .env("SPIFFE_ENDPOINT_SOCKET", ground.dev.endpoint());
    let mut helper = Process::spawn("helper", &mut helper);
    let certificate = || std::fs::read_to_string(files.join("svid.pem")).ok();
    let first = helper.until("files", certificate);
    let (_stunnel, port) = ground.start(&stunnel, &[], CONFIGURATION, ground.backend.port());

    let pair = ["--cert", "svid.pem", "--key", "svid.key"];
    // It may be told of the first files once more, and resets who comes in while it reads them.
    until("an answer", || ask(port, &files, &pair).contains(Backend::GREETING).then_some(()));
    let got = ask(port, &files, &[]);
    assert!(!got.contains(Backend::GREETING), "without a certificate: {got}");

    ground.dev.rotate_ca();
    until("a new certificate", || certificate().filter(|now| *now != first));
    // The authority of the first certificate is tainted and still trusted: only stunnel's new one says that it was told.
    let shown = || {
        let handshake =
            format!("openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509");
        run(Command::new("sh").args(["-c", &handshake])).stdout
    };
    until("stunnel's new certificate", || {
        certificate().filter(|now| now.contains(shown().trim()) && !shown().is_empty())
    });
    until("an answer after the renewal", || {
        ask(port, &files, &pair).contains(Backend::GREETING).then_some(())
    });
}
