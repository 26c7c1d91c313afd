//! curl, which knows nothing of SPIFFE, between our two proxies, and before one that tells who it is.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use finial_testkit::{Dev, Finished, Process, finial, free_port, run};

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

/// A proxy that tells `target` of `id`, which it admits, and its port.
fn telling_proxy(dev: &Dev, target: u16, id: &str) -> (Process, u16) {
    let port = free_port();
    let mut command = Command::new(finial());
    command.args(["proxy", "server", "--listen", &format!("127.0.0.1:{port}"), "--identity-header"]);
    command.args(["--target", &format!("127.0.0.1:{target}"), "--allow-uri", id]);
    let mut process =
        Process::spawn("telling proxy", command.args(["--use-workload-api-addr", &dev.endpoint()]));
    process.wait_for_port(port);
    (process, port)
}

/// Answers each request with its own header, and closes.
fn mirror() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut heard, mut byte) = (Vec::new(), [0]);
            while !heard.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                heard.push(byte[0]);
            }
            let _ = stream.write_all(&[b"HTTP/1.0 200 OK\r\n\r\n", heard.as_slice()].concat());
        }
    });
    port
}

#[test]
fn curl_with_an_svid_is_told_of_over_both_versions_of_http() {
    let Some(program) = program("curl") else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let (_proxy, port) = telling_proxy(&dev, mirror(), ID);
    let svid = dev.write_svid();
    for (version, spoken) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let mut command = Command::new(&program);
        command.current_dir(&svid).args(["--silent", "--show-error", "--max-time", "10", version]);
        // The certificate of the proxy is for a SPIFFE ID, which curl cannot ask for.
        command.args(["--insecure", "--cert", "svid.0.pem", "--key", "svid.0.key"]);
        command.args(["--header", "X-Spiffe-Id: forged", "--header", "x_spiffe_id: forged"]);
        command.args(["--write-out", "\nspoken: %{http_version}\n"]);
        let answer = run(command.arg(format!("https://127.0.0.1:{port}/who?am=i"))).expect_success();
        assert!(answer.starts_with("GET /who?am=i HTTP/1.1\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nx-spiffe-id: {ID}\r\n")), "{answer}");
        assert!(answer.contains("\r\nclient-cert: :MI") && !answer.contains("forged"), "{answer}");
        assert!(answer.contains(&format!("spoken: {spoken}\n")), "{answer}");
    }
}
