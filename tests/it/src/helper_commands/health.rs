//! What health, metrics and a supervisor are told.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use finial_testkit::{Process, finial, free_port, until};
use rustix::process::Signal;

use super::{Site, get, signal};

fn health(port: u16) -> String {
    format!("health_checks {{ listener_enabled = true bind_port = {port} bind_address = \"127.0.0.1\" }}")
}

#[test]
fn readiness_comes_with_the_files() {
    let (site, port) = (Site::without_identity(), free_port());
    let mut helper = site.helper(&health(port));
    helper.wait_for_port(port);
    let answer = get(port, "/ready");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"x509_write_status\":\"unwritten\""),
        "{answer}"
    );
    assert!(get(port, "/live").starts_with("HTTP/1.1 200 "));
    site.dev.identity(super::ID);
    helper.until("readiness", || get(port, "/ready").starts_with("HTTP/1.1 200 ").then_some(()));
    let answer = get(port, "/ready");
    assert!(
        answer.contains("\"x509_write_status\":\"written\"") && answer.contains("\"status\":\"OK\""),
        "{answer}"
    );
    assert!(!answer.contains("hooks") && !answer.contains("commands"), "{answer}");
}

#[test]
fn hooks_that_fail_show_in_health_and_metrics() {
    let (site, port) = (Site::new(), free_port());
    let (good, bad) = (
        site.script("good", "exit 0"),
        site.script("bad", "echo the database is away >&2\n[ -e \"$SITE/go\" ]"),
    );
    let lines = format!(
        "{}\nhook {{ cmd = \"{good}\" }}\nhook {{ cmd = \"{bad}\" required = true }}\ncmd = \"/nonexistent\"",
        health(port)
    );
    let mut helper = site.helper(&lines);
    helper.wait_for_log("the hook bad has failed, and is tried again");
    assert!(helper.log().contains("the database is away"), "{}", helper.log());
    helper.wait_for_log("the hook good has run");
    helper.wait_for_log("cannot be run");
    let ready = get(port, "/ready");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    for part in [
        r#""x509_write_status":"written""#,
        r#""bad":{"reason":"it has failed by exit status: 1","status":"failed"}"#,
        r#""good":{"status":"succeeded"}"#,
        r#""nonexistent":{"reason":"/nonexistent cannot be run: No such file or directory (os error 2)","status":"failed"}"#,
    ] {
        assert!(ready.contains(part), "{part}\n{ready}");
    }
    assert!(!ready.contains("database"), "what programs print is for the log: {ready}");
    let metrics = get(port, "/metrics");
    for part in [
        r#"finial_helper_hook_runs_total{hook="good",result="succeeded"} 1"#,
        r#"finial_helper_hook_failing{hook="bad"} 1"#,
        r#"finial_helper_command_running{command="nonexistent"} 0"#,
        r#"result="written"} 1"#,
        "finial_helper_expires_in_seconds{kind=\"x509\",file=",
    ] {
        assert!(metrics.contains(part), "{part}\n{metrics}");
    }
    std::fs::write(site.path("go"), "").unwrap();
    helper.until("readiness", || get(port, "/ready").starts_with("HTTP/1.1 200 ").then_some(()));
}

#[test]
fn systemd_hears_of_readiness_of_life_and_of_the_end() {
    let site = Site::without_identity();
    let path = site.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let heard = || {
        let mut buffer = [0; 1024];
        socket.recv(&mut buffer).ok().map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned())
    };
    let hook = site.script("hook", "echo \"[$NOTIFY_SOCKET$WATCHDOG_USEC]\" > \"$SITE/variables\"");
    let mut command = site.command(Command::new(finial()), "run", &format!("hook {{ cmd = \"{hook}\" }}"));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut helper = Process::spawn("helper", &mut command);
    assert_eq!(heard().as_deref(), Some("WATCHDOG=1"));
    assert_eq!(heard().as_deref(), Some("WATCHDOG=1"), "ready without files");
    site.dev.identity(super::ID);
    let ready = until("readiness", || heard().filter(|news| news != "WATCHDOG=1"));
    assert!(ready.starts_with("READY=1\nSTATUS=everything is written; the first expires at "), "{ready}");
    assert_eq!(site.wait_for("variables"), "[]\n", "it is for the helper alone");
    signal(&helper, Signal::TERM);
    let stopping = until("the end", || heard().filter(|news| news != "WATCHDOG=1"));
    assert_eq!(stopping, "STOPPING=1\nSTATUS=stopping");
    assert_eq!(helper.wait().code(), Some(0));
}
