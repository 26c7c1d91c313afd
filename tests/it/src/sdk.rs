//! The sdk's examples, run as its reader runs them.

use std::process::Command;

use finial_testkit::{Dev, Process, example, run};

const ID: &str = "spiffe://example.org/sdk";

#[test]
fn the_examples_of_the_sdk_know_each_other() {
    let dev = Dev::start();
    dev.identity(ID);
    let mut server = Process::spawn(
        "server",
        Command::new(example("server"))
            .args(["127.0.0.1:0", ID])
            .env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint()),
    );
    server.wait_for_log(" listens on ");
    let log = server.log();
    let address = log.lines().find_map(|line| line.split_once(" listens on ")).expect("an address").1;

    let mut client = Command::new(example("client"));
    let answer =
        run(client.args([address, ID]).env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint())).expect_success();
    assert_eq!(answer.trim(), format!("hello, {ID}"));

    let mut client = Command::new(example("client"));
    let wrong = run(client
        .args([address, "spiffe://example.org/other"])
        .env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint()));
    assert!(!wrong.status.success(), "{}", wrong.stdout);
}
