//! What arrives at the socket of a supervisor, and when nobody is told.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, SystemTime};

use super::Supervisor;
use crate::Clock;

fn supervisor(variables: &[(&str, &str)]) -> Supervisor {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Supervisor::named(&|name| variables.get(name).map(OsString::from), 42)
}

fn heard(socket: &UnixDatagram) -> String {
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 512];
    let count = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

fn hears_nothing(socket: &UnixDatagram) -> bool {
    socket.set_nonblocking(true).unwrap();
    socket.recv(&mut [0; 8]).is_err()
}

#[test]
fn each_state_is_told_with_what_people_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let supervisor = supervisor(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    supervisor.ready("listening");
    assert_eq!(heard(&socket), "READY=1\nSTATUS=listening");
    supervisor.status("short of callers");
    assert_eq!(heard(&socket), "STATUS=short of callers");
    supervisor.reloading("reloading");
    let reloading = heard(&socket);
    let lines: Vec<_> = reloading.lines().collect();
    let [first, micros, last] = lines[..] else { panic!("{reloading}") };
    assert_eq!((first, last), ("RELOADING=1", "STATUS=reloading"));
    assert!(micros.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
    supervisor.stopping("stopping\nREADY=1");
    assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=stopping READY=1");
}

#[test]
fn a_socket_may_have_an_abstract_name() {
    let name = format!("finial-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    supervisor(&[("NOTIFY_SOCKET", &format!("@{name}"))]).ready("x");
    assert_eq!(heard(&socket), "READY=1\nSTATUS=x");
}

#[test]
fn a_socket_that_was_bound_anew_is_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let supervisor = supervisor(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    supervisor.ready("to nobody");
    let socket = UnixDatagram::bind(&path).unwrap();
    supervisor.ready("again");
    assert_eq!(heard(&socket), "READY=1\nSTATUS=again");
}

#[test]
fn without_a_socket_that_can_be_used_nobody_is_told() {
    for name in ["", "relative/path", "vsock:2:1234", &"/x".repeat(100)] {
        let supervisor = supervisor(&[("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "1000")]);
        assert!(supervisor.socket.is_none() && supervisor.watchdog.is_none(), "{name}");
        supervisor.ready("x");
    }
}

#[test]
fn signs_of_life_are_for_the_process_that_is_watched() {
    for (variables, expected) in [
        (&[("WATCHDOG_USEC", "3000000")][..], Some(3)),
        (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "42")], Some(3)),
        (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "41")], None),
        (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "x")], None),
        (&[("WATCHDOG_USEC", "0")], None),
        (&[("WATCHDOG_USEC", "-1")], None),
        (&[], None),
    ] {
        let supervisor = supervisor(&[&[("NOTIFY_SOCKET", "/nowhere")], variables].concat());
        assert_eq!(supervisor.watchdog, expected.map(Duration::from_secs), "{variables:?}");
    }
}

#[tokio::test]
async fn signs_of_life_come_twice_in_each_interval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let supervisor = supervisor(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "10000000")]);
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let mut alive = std::pin::pin!(supervisor.keep_alive(&clock));
    for _ in 0..3 {
        assert!(futures_util::poll!(&mut alive).is_pending());
        assert_eq!(heard(&socket), "WATCHDOG=1");
        hand.step(Duration::from_secs(4));
        assert!(futures_util::poll!(&mut alive).is_pending());
        assert!(hears_nothing(&socket));
        socket.set_nonblocking(false).unwrap();
        hand.step(Duration::from_secs(1));
    }
}
