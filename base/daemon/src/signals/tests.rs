//! A signal sent to this very process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::{Signal, getpid, kill_process};

use crate::alone::{alone, run};

#[test]
fn sigterm_ends_the_wait() {
    alone("signals::tests::sigterm_ends_the_wait", || run(await_sigterm()));
}

async fn await_sigterm() {
    let terminated = super::terminated().unwrap();
    // Nobody waits yet, and the test would end if nobody listened.
    kill_process(getpid(), Signal::TERM).unwrap();
    assert_eq!(terminated.await, "SIGTERM");
}

#[test]
fn sighup_and_sigusr1_ask_for_files_to_be_read_again() {
    alone("signals::tests::sighup_and_sigusr1_ask_for_files_to_be_read_again", || run(await_reloads()));
}

async fn await_reloads() {
    let mut requests = super::ReloadRequests::new().unwrap();
    for (signal, name) in [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::HUP, "SIGHUP")] {
        kill_process(getpid(), signal).unwrap();
        assert_eq!(requests.next().await, name);
    }
}

#[test]
fn user_signals_ask_for_settings_and_for_a_new_log_file() {
    alone("signals::tests::user_signals_ask_for_settings_and_for_a_new_log_file", || run(await_requests()));
}

async fn await_requests() {
    let mut requests = super::UserRequests::new().unwrap();
    for (signal, request) in
        [(Signal::USR1, super::UserRequest::Reload), (Signal::USR2, super::UserRequest::ReopenLog)]
    {
        kill_process(getpid(), signal).unwrap();
        assert_eq!(requests.next().await, request);
    }
}
