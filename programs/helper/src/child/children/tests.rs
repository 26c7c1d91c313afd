//! Whose ends are waited for by whom. Each test has a process of its own: orphans come to the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::Signal;
use tokio::process::Command;

use super::{Children, Group};
use crate::fixtures::{Ears, bounded};

const ALONE: &str = "FINIAL_HELPER_TEST_ALONE";

/// Runs the body of the test with this name in a new process.
fn alone(test: &str, work: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let test = format!("child::children::tests::{test}");
    let output = again.args(["--exact", &test]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Whether a process has ended and was not waited for.
fn is_zombie(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

#[test]
fn a_sweep_leaves_our_own_to_whoever_waits_for_them() {
    alone("a_sweep_leaves_our_own_to_whoever_waits_for_them", async {
        let children = Children::default();
        let mut child = children.start(Command::new("sh").args(["-c", "exit 3"]), Group::Own).unwrap();
        while !is_zombie(child.id()) {
            std::thread::yield_now();
        }
        children.sweep();
        assert!(is_zombie(child.id()));
        assert_eq!(bounded(child.wait()).await.unwrap().code(), Some(3));
    });
}

#[test]
fn an_orphan_behind_one_of_our_own_goes_once_that_one_was_waited_for() {
    alone("an_orphan_behind_one_of_our_own_goes_once_that_one_was_waited_for", async {
        Children::adopt().unwrap();
        let children = Children::default();
        // Its parent ends at once, so that it is left to us; it ends when its input does.
        let script = "sh -c 'echo $$; exec cat' 2>/dev/null <&3 & exit 0";
        let (orphan, input) = {
            let (reader, writer) = std::io::pipe().unwrap();
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec 3<&0; exec sh -c \"$0\"", script]).stdin(reader);
            shell.stdout(std::process::Stdio::piped());
            let mut shell = children.start(&mut shell, Group::Own).unwrap();
            let mut line = String::new();
            let stdout = tokio::io::BufReader::new(shell.take_output().0.unwrap());
            bounded(tokio::io::AsyncBufReadExt::read_line(&mut { stdout }, &mut line)).await.unwrap();
            assert!(bounded(shell.wait()).await.unwrap().success());
            (line.trim().parse().unwrap(), writer)
        };
        let mut own = children.start(Command::new("sh").args(["-c", "exit 4"]), Group::Own).unwrap();
        drop(input);
        while !is_zombie(own.id()) || !is_zombie(orphan) {
            std::thread::yield_now();
        }
        let reaped = async {
            while is_zombie(orphan) {
                tokio::task::yield_now().await;
            }
        };
        bounded(async {
            tokio::select! {
                () = children.reap_others() => unreachable!("it never resolves"),
                (status, ()) = async { tokio::join!(own.wait(), reaped) } => assert_eq!(status.unwrap().code(), Some(4)),
            }
        })
        .await;
    });
}

#[tokio::test]
async fn what_a_terminal_sends_is_not_passed_on_to_one_of_our_group() {
    for (group, first) in [(Group::Ours, "usr1"), (Group::Own, "quit")] {
        let mut ears = Ears::new();
        let script = r#"trap 'echo quit > "$1"' QUIT; trap 'echo usr1 > "$1"' USR1; echo up > "$1"
            while :; do sleep 0.02; done"#;
        let line = ears.script(script);
        let mut command = Command::new(&line.program);
        let child = Children::default().start(command.args(&line.arguments), group).unwrap();
        assert_eq!(ears.next().await, "up");
        child.pass(Signal::QUIT);
        child.pass(Signal::USR1);
        assert_eq!(ears.next().await, first, "{group:?}");
    }
}
