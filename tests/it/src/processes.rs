//! Server and agent as processes of their own, each killed in its turn; and a journal that was damaged meanwhile.

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
