//! A backend that is told who asks: through both proxies as processes, with identities from an agent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use finial_testkit::{Dev, Process, finial, free_port, until};

const ID: &str = "spiffe://example.org/shop";

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
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", heard.len());
            let _ = stream.write_all(&[head.as_bytes(), &heard].concat());
        }
    });
    port
}

fn proxy(dev: &Dev, role: &str, target: u16, flags: &[&str]) -> (Process, u16) {
    let port = free_port();
    let mut command = Command::new(finial());
    command.args(["proxy", role, "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--target", &format!("127.0.0.1:{target}"), "--use-workload-api-addr", &dev.endpoint()]);
    let mut process = Process::spawn(&format!("proxy {role}"), command.args(flags));
    process.wait_for_port(port);
    (process, port)
}

/// What a caller is answered in all.
fn ask(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok().map(|_| answer)
}

#[test]
fn the_backend_hears_who_asks_and_not_who_the_caller_says_it_is() {
    let dev = Dev::start();
    dev.identity(ID);
    let flags = ["--allow-uri", ID, "--identity-header"];
    let (mut server, front) = proxy(&dev, "server", mirror(), &flags);
    let (_client, port) = proxy(&dev, "client", front, &["--verify-uri", ID]);
    let forged = "GET /first HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\nclient_cert: forged\r\n\r\n\
                  GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Spiffe-Id: forged\r\n\r\n";
    let answer = until("answer through both proxies", || ask(port, forged));
    for path in ["GET /first HTTP/1.1\r\n", "GET /second HTTP/1.1\r\n"] {
        assert_eq!(answer.matches(path).count(), 1, "{answer}");
    }
    assert_eq!(answer.matches(&format!("\r\nx-spiffe-id: {ID}\r\n")).count(), 2, "{answer}");
    assert_eq!(answer.matches("\r\nclient-cert: :").count(), 2, "{answer}");
    assert!(!answer.contains("forged"), "{answer}");

    let smuggled = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhello";
    let answer = ask(port, smuggled).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    server.wait_for_log("closed pipe: tcp:127.0.0.1:");
}

#[test]
fn nobody_known_is_nobody_to_tell_of() {
    let mut command = Command::new(finial());
    command.args(["proxy", "server", "--listen", "localhost:0", "--target", "localhost:1"]);
    command.args([
        "--use-workload-api-addr",
        "unix:///nowhere",
        "--disable-authentication",
        "--identity-header",
    ]);
    let refused = finial_testkit::run(&mut command);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("--identity-header and --disable-authentication are mutually exclusive"));
}
