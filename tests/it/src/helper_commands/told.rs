//! A command and hooks of a helper that stays: told, started again, hanging, refusing to go.

use std::fs;
use std::process::Command;

use finial_testkit::{Process, until};
use rustix::process::Signal;

use super::{Site, lives, signal, signal_by_id};

/// Says `up`, then the name of each signal that it gets; ends at SIGTERM.
const SERVER: &str = r#"
for signal in HUP USR1 USR2; do trap "echo got $signal" $signal; done
trap 'echo bye; exit 0' TERM
echo $$ > "$SITE/service.pid"
echo up
# No longer than who started it, which a test may have killed.
while kill -0 $PPID 2>/dev/null; do sleep 0.05; done
"#;

#[test]
fn a_command_is_told_of_renewals_and_gets_the_signals_of_the_helper() {
    let site = Site::new();
    let cmd = site.script("service", SERVER);
    let mut helper = site.helper(&format!("cmd = \"{cmd}\"\nrenew_signal = \"SIGUSR1\""));
    helper.wait_for_log("up");
    assert!(site.path("certs/svid.key").exists(), "it started before its files were there");
    site.renew();
    helper.wait_for_log("got USR1");
    signal(&helper, Signal::HUP);
    helper.wait_for_log("got HUP");
    signal(&helper, Signal::USR2);
    helper.wait_for_log("got USR2");
    signal(&helper, Signal::TERM);
    assert_eq!(helper.wait().code(), Some(0), "{}", helper.log());
    assert!(helper.log().contains("bye"), "{}", helper.log());
}

#[test]
fn a_command_that_has_ended_runs_again_at_the_next_renewal() {
    let site = Site::new();
    let cmd = site.script("reload", r#"echo "reloaded $*" >> "$SITE/reloads""#);
    let mut helper =
        site.helper(&format!("cmd = \"{cmd}\"\ncmd_args = \"-c \\\"SELECT 1;\\\"\"\nrenewSignal = \"\""));
    helper.wait_for_log("has ended; it is started again at the next delivery");
    site.renew();
    let twice = "reloaded -c SELECT 1;\n".repeat(2);
    let reloads = site.path("reloads");
    helper.until("second run", || (fs::read_to_string(&reloads).unwrap() == twice).then_some(()));
}

#[test]
fn a_command_that_is_killed_is_started_again() {
    let site = Site::new();
    let cmd = site.script("service", SERVER);
    let mut helper = site.helper(&format!("cmd = \"{cmd}\"\nrestart = \"always\""));
    let first = site.wait_for("service.pid");
    signal_by_id(&first, Signal::KILL);
    let pid = site.path("service.pid");
    helper.until("another process", || (fs::read_to_string(&pid).unwrap() != first).then_some(()));
    assert!(
        helper.log().contains("has failed by signal: 9 (SIGKILL); it is started again in "),
        "{}",
        helper.log()
    );
}

#[test]
fn a_command_that_refuses_to_go_is_gone_after_its_grace() {
    let site = Site::new();
    let cmd =
        site.script("deaf", "trap '' TERM INT\necho $$ > \"$SITE/deaf.pid\"\nwhile :; do sleep 0.05; done");
    let mut helper = site.helper(&format!("cmd = \"{cmd}\"\nstop_grace = \"300ms\""));
    let deaf = site.wait_for("deaf.pid");
    signal(&helper, Signal::TERM);
    assert_eq!(helper.wait().code(), Some(0), "{}", helper.log());
    assert!(!lives(&deaf));
    assert!(helper.log().contains("did not end within 300ms and is ended by force"), "{}", helper.log());
}

#[test]
fn a_command_that_is_missing_is_told_once_for_each_delivery() {
    let site = Site::new();
    let mut helper = site.helper("cmd = \"/nonexistent/server\"");
    let line = "the command /nonexistent/server cannot be run; it is started again at the next delivery";
    helper.wait_for_log(line);
    site.renew();
    until("second attempt", || (helper.log().matches(line).count() == 2).then_some(()));
}

#[test]
fn a_hook_that_hangs_holds_up_neither_the_others_nor_the_end() {
    let site = Site::new();
    let hangs = site.script("hangs", "echo $$ > \"$SITE/hangs.pid\"\nwhile :; do sleep 0.05; done");
    let good = site.script("good", "echo run >> \"$SITE/runs\"");
    let lines =
        format!("hook {{ cmd = \"{hangs}\" timeout = \"1s\" retries = 0 }}\nhook {{ cmd = \"{good}\" }}");
    let mut helper = site.helper(&lines);
    let hanging = site.wait_for("hangs.pid");
    helper.wait_for_log("the hook good has run");
    helper.wait_for_log("the hook hangs has failed, and waits for the next delivery");
    assert!(helper.log().contains("it did not end within 1s"), "{}", helper.log());
    assert!(!lives(&hanging));
    site.renew();
    let runs = site.path("runs");
    helper.until("second run", || (fs::read_to_string(&runs).unwrap() == "run\nrun\n").then_some(()));
    signal(&helper, Signal::TERM);
    assert_eq!(helper.wait().code(), Some(0));
}

#[test]
fn a_hook_that_runs_when_the_helper_ends_comes_to_its_end() {
    let site = Site::new();
    let text = "echo up > \"$SITE/up\"\nwhile [ ! -e \"$SITE/go\" ]; do sleep 0.05; done\necho done > \"$SITE/done\"";
    let hook = site.script("slow", text);
    let mut helper = site.helper(&format!("hook {{ cmd = \"{hook}\" }}"));
    site.wait_for("up");
    signal(&helper, Signal::TERM);
    helper.wait_for_log("SIGTERM");
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(helper.wait().code(), Some(0), "{}", helper.log());
    assert_eq!(fs::read_to_string(site.path("done")).unwrap(), "done\n");
}

#[test]
fn the_process_of_a_pid_file_is_told_though_its_file_comes_late() {
    let site = Site::new();
    let pid = site.path("service.pid");
    let lines = format!("pid_file_name = \"{}\"\nrenew_signal = \"SIGUSR1\"", pid.display());
    let mut helper = site.helper(&lines);
    helper.wait_for_log("the hook pid_file_name has failed, and is tried again");
    let server = site.script("service", SERVER);
    let mut server = Process::spawn("server", Command::new(server).env("SITE", site.dev.folder()));
    server.wait_for_log("got USR1");
    site.renew();
    let twice = |log: String| log.matches("got USR1").count() >= 2;
    helper.until("second signal", || twice(server.log()).then_some(()));
}
