//! curl, which knows nothing of SPIFFE, between our two proxies.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Dev, Finished, run};

use crate::peers::program;
use crate::proxy::{Backend, client_proxy, server_proxy};

const ID: &str = "spiffe://example.org/ns/interop/sa/curl";

/// curl's "failure in receiving network data": what a caller sees of a connection that was closed on it.
const CLOSED: i32 = 56;

fn curl(curl: &Path, port: u16) -> Finished {
    let mut command = Command::new(curl);
    run(command
        .args(["--silent", "--show-error", "--max-time", "10"])
        .arg(format!("http://127.0.0.1:{port}/")))
}

#[test]
fn curl_reaches_a_backend_over_mutual_tls() {
    let Some(program) = program("curl") else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let backend = Backend::start();
    let (_server, front) = server_proxy(&dev, &backend, ID);
    let (_client, port) = client_proxy(&dev, front, ID);
    assert!(curl(&program, port).expect_success().contains(Backend::GREETING));
}

#[test]
fn curl_is_cut_off_when_the_server_is_somebody_else() {
    let Some(program) = program("curl") else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let backend = Backend::start();
    let (_server, front) = server_proxy(&dev, &backend, ID);
    let (mut client, port) = client_proxy(&dev, front, "spiffe://example.org/somebody-else");
    let answer = curl(&program, port);
    assert_eq!(answer.status.code(), Some(CLOSED), "{answer:?}\n{}", client.log());
    client.wait_for_log("unauthorized: invalid principal, or principal not allowed");
}
