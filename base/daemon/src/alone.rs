//! Tests that change what belongs to the whole process (limits, signals, umask) run in a process of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

const ALONE: &str = "FINIAL_DAEMON_TEST_ALONE";

/// Runs `work`, the body of the test with this full name, in a new process.
pub(crate) fn alone(test: &str, work: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return work();
    }
    let program = std::env::current_exe().unwrap();
    let child = std::process::Command::new(program).args(["--exact", test]).env(ALONE, "1").output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

/// A runtime for `work`.
pub(crate) fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}
