//! Programs that every machine has.

use std::process::Command;

use crate::{Process, run, run_with_input};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn both_streams_and_the_status_of_a_finished_program_are_kept() {
    let finished = run_with_input(&mut shell("cat; echo complaint >&2; exit 3"), "input");
    assert_eq!(finished.status.code(), Some(3));
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("input", "complaint\n"));
}

#[test]
#[should_panic(expected = "complaint")]
fn a_failure_is_told_in_the_words_of_the_program() {
    run(&mut shell("echo complaint >&2; exit 1")).expect_success();
}

#[test]
fn a_process_is_watched_by_its_log() {
    let mut process = Process::spawn("greeter", &mut shell("echo hello; exec sleep 60"));
    process.wait_for_log("hello");
    process.kill();
    assert!(!process.wait().success());
}

#[test]
#[should_panic(expected = "ended with exit status: 4 before \"never\"")]
fn a_process_that_ends_too_early_is_not_waited_for() {
    Process::spawn("quitter", &mut shell("exit 4")).wait_for_log("never");
}
