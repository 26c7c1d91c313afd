//! No descriptor is left: who is there stays, who comes waits, and nothing burns meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use finial_daemon::Clock;
use finial_testkit::{LIMIT, Process, finial, processor_time, until};

use super::backend::Backend;
use super::{MOMENT, Proxy, Site, echo};

const DESCRIPTORS: usize = 64;
/// What the log says when there is none left.
const EXHAUSTED: &str = "os error 24";
const NOT_ACCEPTED: &str = "error accepting connection";

fn times(process: &Process, text: &str) -> usize {
    process.log().matches(text).count()
}

/// Callers that are served, until there is no descriptor for one more.
fn fill(client: &Proxy, server: &Proxy) -> Vec<TcpStream> {
    let mut served = Vec::new();
    while served.len() < DESCRIPTORS {
        let mut stream = client.dial();
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        stream.write_all(b"!").unwrap();
        let is_served = until("answer or end", || match stream.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                (times(&server.process, EXHAUSTED) > 0).then_some(false)
            }
            read => Some(read.is_ok_and(|count| count == 1)),
        });
        if !is_served {
            return served;
        }
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        served.push(stream);
    }
    panic!("{DESCRIPTORS} descriptors are enough for {DESCRIPTORS} connections, of two each");
}

#[test]
fn descriptors_run_out_and_come_back() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$@\""), "sh"]).arg(finial());
    let mut server = site.server_as(shell, &[]);
    let client = site.client(&server);

    let mut served = fill(&client, &server);
    server.process.wait_for_log(EXHAUSTED);
    // These take what is left, if anything, and then there is nothing to accept the next with.
    let waiting: Vec<TcpStream> = (0..4).map(|_| server.dial()).collect();
    server.process.wait_for_log(NOT_ACCEPTED);

    let (clock, pid) = (Clock::system(), server.process.id());
    let (began, used) = (clock.monotonic(), processor_time(pid));
    let failed = times(&server.process, NOT_ACCEPTED);
    until("other tries", || {
        echo(&served[0]).unwrap();
        (times(&server.process, NOT_ACCEPTED) >= failed + 8).then_some(())
    });
    let (took, used) = (clock.monotonic().saturating_sub(began), processor_time(pid) - used);
    assert!(used < took / 2 + Duration::from_millis(200), "{used:?} of {took:?}");
    assert!(times(&server.process, NOT_ACCEPTED) < 100, "{}", server.process.log());

    drop(waiting);
    served.truncate(served.len() / 2);
    until("room for another", || echo(&client.dial()).ok());
    served.iter().for_each(|stream| echo(stream).unwrap());
}
