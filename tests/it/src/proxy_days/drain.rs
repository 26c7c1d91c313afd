//! SIGTERM: nothing new comes in, what is open ends in its own time, and there is an end to that too.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use finial_testkit::until;

use super::backend::Backend;
use super::{Site, echo};

const STREAMS: usize = 20;
const LENGTH: usize = 512 * 1024;
/// What is said only after the drain has begun.
const LAST: usize = 4 * 1024;

/// Different in each stream, and at each place.
fn content(stream: usize) -> Vec<u8> {
    let mut state = stream as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..LENGTH).map(|_| next()).collect()
}

/// Says it all, the last of it when the `gate` is open, and returns what comes back. Is `moving` with the first of it.
fn exchange(mut stream: &TcpStream, said: &[u8], moving: &AtomicUsize, gate: &RwLock<()>) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(move || {
            let (most, last) = said.split_at(LENGTH - LAST);
            stream.write_all(most).unwrap();
            drop(gate.read().unwrap());
            stream.write_all(last).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut heard = vec![0];
        stream.read_exact(&mut heard).unwrap();
        moving.fetch_add(1, Ordering::SeqCst);
        stream.read_to_end(&mut heard).unwrap();
        heard
    })
}

#[test]
fn sigterm_under_load_drains_to_the_last_byte() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let mut server = site.server(&[]);
    let client = site.client(&server);
    let (moving, gate) = (AtomicUsize::new(0), RwLock::new(()));
    thread::scope(|scope| {
        let (client, moving, gate) = (&client, &moving, &gate);
        let closed = gate.write().unwrap();
        for stream in 0..STREAMS {
            scope.spawn(move || {
                let said = content(stream);
                assert!(exchange(&client.dial(), &said, moving, gate) == said, "stream {stream}");
            });
        }
        until("stream that moves", || (moving.load(Ordering::SeqCst) == STREAMS).then_some(()));
        server.terminate();
        server.process.wait_for_log("shutdown proxy, waiting for drain");
        drop(closed);
    });
    assert_eq!(server.process.wait().code(), Some(0), "{}", server.process.log());
}

#[test]
fn drain_takes_nobody_new_and_ends_with_the_shutdown_timeout() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let mut server = site.server(&["--shutdown-timeout=1s"]);
    let client = site.client(&server);
    let stays = client.dial();
    echo(&stays).unwrap();
    server.terminate();
    server.process.wait_for_log("shutdown proxy, waiting for drain");
    echo(&client.dial()).unwrap_err();
    assert_eq!(server.process.wait().code(), Some(1), "{}", server.process.log());
    let log = server.process.log();
    assert!(log.contains("graceful shutdown timeout: forcing exit"), "{log}");
    echo(&stays).unwrap_err();
}
