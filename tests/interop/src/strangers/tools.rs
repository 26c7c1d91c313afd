//! curl and openssl, with an SVID in files.

use std::process::Command;

use finial_testkit::{Process, free_port, run, run_with_input};

use super::{Ground, NAME, program};
use crate::proxy::Backend;

#[test]
fn curl_as_client_passes_by_its_id_alone() {
    let Some(curl) = program("curl") else { return };
    let ground = Ground::new();
    ground.admits(|port| {
        let mut command = Command::new(&curl);
        command.current_dir(&ground.svid).args(["--silent", "--show-error", "--max-time", "10"]);
        command.args(["--cert", "svid.0.pem", "--key", "svid.0.key", "--cacert", "bundle.0.pem"]);
        command.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
        run(command.arg(format!("https://{NAME}:{port}/"))).stdout
    });
}

#[test]
fn openssl_as_client_passes_by_its_id_alone() {
    let Some(openssl) = program("openssl") else { return };
    let ground = Ground::new();
    for version in ["-tls1_2", "-tls1_3"] {
        ground.admits(|port| {
            let mut command = Command::new(&openssl);
            command.current_dir(&ground.svid).args([
                "s_client",
                "-quiet",
                version,
                "-CAfile",
                "bundle.0.pem",
            ]);
            command.args(["-connect", &format!("127.0.0.1:{port}"), "-verify_return_error"]);
            command.args(["-verify_hostname", NAME, "-cert", "svid.0.pem", "-key", "svid.0.key"]);
            run_with_input(&mut command, "GET / HTTP/1.0\r\n\r\n").stdout
        });
    }
}

#[test]
fn openssl_as_server_passes_by_its_id_alone() {
    let Some(openssl) = program("openssl") else { return };
    let ground = Ground::new();
    std::fs::write(ground.svid.join("greeting"), format!("HTTP/1.0 200 OK\r\n\r\n{}", Backend::GREETING))
        .expect("what it serves");
    for version in ["-tls1_2", "-tls1_3"] {
        let port = free_port();
        let mut command = Command::new(&openssl);
        // It serves the files of its folder, with the head that they bring, to whoever shows a certificate that verifies.
        command.current_dir(&ground.svid).args(["s_server", "-HTTP", version, "-Verify", "4"]);
        command.args([
            "-verify_return_error",
            "-CAfile",
            "bundle.0.pem",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ]);
        command.args(["-cert", "svid.0.pem", "-key", "svid.0.key"]);
        let mut server = Process::spawn("openssl s_server", &mut command);
        server.wait_for_log("ACCEPT");
        ground.accepts_path(port, "/greeting");
    }
}
