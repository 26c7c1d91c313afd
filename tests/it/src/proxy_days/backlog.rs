//! SIGTERM while callers wait in the backlog, and while others come: each is served or turned away, and none hangs.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::backend::Backend;
use super::{Site, echo};

const QUEUED: usize = 40;

/// Fails when the caller is neither served nor told of the end.
fn served_or_turned_away(stream: &TcpStream) -> bool {
    match echo(stream) {
        Ok(()) => true,
        Err(error) => {
            let hung = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!hung, "a caller hangs: {error}");
            false
        }
    }
}

#[test]
fn callers_in_the_backlog_are_turned_away_and_those_before_them_are_served() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let server = site.server(&[]);
    let target = format!("localhost:{}", server.port);
    let program = std::process::Command::new(finial_testkit::finial());
    let mut client = site.proxy(program, "client", &target, &["--max-concurrent-conns=2"]);
    let open = [client.dial(), client.dial()];
    open.iter().for_each(|stream| echo(stream).unwrap());
    let queued: Vec<TcpStream> = (0..QUEUED).map(|_| client.dial()).collect();

    client.terminate();
    client.process.wait_for_log("shutdown proxy, waiting for drain");
    for mut stream in &queued {
        match stream.read(&mut [0]) {
            Ok(count) => assert_eq!(count, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    open.iter().for_each(|stream| echo(stream).unwrap());
    drop(open);
    assert_eq!(client.process.wait().code(), Some(0), "{}", client.process.log());
}

#[test]
fn callers_who_come_while_a_server_ends_are_served_or_turned_away() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let mut server = site.server(&[]);
    let client = site.client(&server);
    let over = AtomicBool::new(false);
    let (mut served, mut turned_away) = (0, 0);
    thread::scope(|scope| {
        let (client, over) = (&client, &over);
        let call = move || {
            let (mut served, mut turned_away) = (0, 0);
            while !over.load(Ordering::SeqCst) {
                if served_or_turned_away(&client.dial()) { served += 1 } else { turned_away += 1 }
            }
            (served, turned_away)
        };
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        while !server.process.log().contains("opening pipe") {
            thread::yield_now();
        }
        server.terminate();
        assert_eq!(server.process.wait().code(), Some(0), "{}", server.process.log());
        over.store(true, Ordering::SeqCst);
        for caller in callers {
            let (more, others) = caller.join().unwrap();
            (served, turned_away) = (served + more, turned_away + others);
        }
    });
    assert!(served > 0, "nobody was served, and {turned_away} were turned away");
}
