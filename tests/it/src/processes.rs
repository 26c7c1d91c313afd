//! Server and agent as processes of their own, each killed in its turn; and a journal that was damaged meanwhile.

use std::fs;
use std::process::{Command, Stdio};

use finial_testkit::Pair;

#[test]
fn a_killed_server_is_missed_by_nobody_and_found_again() {
    let pair = Pair::new();
    let mut server = pair.server();
    let _agent = pair.join();
    server.kill();
    pair.cli(&["api", "fetch", "x509"]).expect_success();
    let _server = pair.server();
    pair.identity("after");
}

#[test]
fn wep_01_an_agent_can_be_reached_on_its_own_machine_only() {
    let pair = Pair::new();
    let server = pair.server();
    let agent = pair.join();
    assert_ne!(listening(server.id()), 0, "the server listens on a port, or nothing is seen here");
    assert_eq!(listening(agent.id()), 0, "the agent listens on Unix sockets only");
}

/// On how many TCP ports a process listens.
fn listening(process: u32) -> usize {
    let sockets = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets = sockets.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let sockets: Vec<String> = sockets.map(|link| link.to_string_lossy().into_owned()).collect();
    let tables = ["tcp", "tcp6"]
        .map(|kind| fs::read_to_string(format!("/proc/{process}/net/{kind}")).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let rows = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    // 0A is LISTEN; the tenth field is the socket's inode.
    rows.filter(|row| row[3] == "0A" && sockets.contains(&format!("socket:[{}]", row[9]))).count()
}

#[test]
fn a_killed_agent_comes_back_as_itself_without_a_token() {
    let pair = Pair::new();
    let _server = pair.server();
    let mut agent = pair.join();
    let before = pair.cli(&["agent", "list"]).expect_success();
    agent.kill();
    let _agent = pair.agent(&[]);
    pair.identity("after");
    assert_eq!(pair.cli(&["agent", "list"]).expect_success(), before);
}

#[test]
fn a_damaged_journal_is_named_and_the_server_goes_on() {
    let pair = Pair::new();
    let mut server = pair.server();
    let mut agent = pair.join();
    agent.kill();
    server.kill();
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                  db.execute(\"UPDATE journal SET bytes = x'7b746f726e'\"); db.commit()";
    let database = pair.path("server/datastore.sqlite3");
    let status =
        Command::new("python3").args(["-c", script, &database]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());

    let server = pair.server();
    assert!(server.log().contains("journal"), "the log does not name the journal:\n{}", server.log());
    let _agent = pair.agent(&[]);
    pair.identity("after");
}
