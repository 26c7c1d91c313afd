//! `finial helper exec`: the program's signals, its exit code, and the orphans that it leaves, with and without a PID
//! namespace of its own.

use std::fs;
use std::process::Command;

use finial_testkit::{Process, finial, free_port, run, skip, until};
use rustix::process::Signal;

use super::{Site, get, signal, signal_by_id};

/// The helper, and a shell that does this once the files are there.
fn exec(site: &Site, program: Command, lines: &str, text: &str) -> Process {
    let mut command = site.command(program, "exec", lines);
    Process::spawn("helper", command.args(["--", "/bin/sh", "-c", text]))
}

fn code(mut process: Process) -> i32 {
    let status = process.wait();
    status.code().unwrap_or_else(|| panic!("{status}:\n{}", process.log()))
}

/// Leaves 50 orphans that end soon, waits for all of them, and fails if one is a zombie afterwards.
const ORPHANS: &str = r#"
i=0; while [ $i -lt 50 ]; do ( sleep 0.1 & ) ; i=$((i+1)); done
sleep 0.5
zombies() { grep -l '^[0-9]* ([^)]*) Z' /proc/[0-9]*/stat 2>/dev/null | while read -r stat; do
  read -r _ _ _ parent _ < "$stat" 2>/dev/null && [ "$parent" = "$PPID" ] && echo "$stat"; done; }
i=0; while [ -n "$(zombies)" ]; do sleep 0.1; i=$((i+1)); [ $i -lt 50 ] || exit 9; done
"#;

#[test]
fn the_exit_code_of_the_program_is_handed_on() {
    let site = Site::new();
    let helper = |text: &str| exec(&site, Command::new(finial()), "", text);
    assert_eq!(code(helper("[ -s \"$SITE/certs/svid.key\" ] && exit 3")), 3);
    assert_eq!(code(helper("exit 0")), 0);
    assert_eq!(code(helper("kill -9 $$")), 137);
    let mut missing = site.command(Command::new(finial()), "exec", "");
    let missing = run(missing.args(["--", "/nonexistent/program"]));
    assert_eq!(missing.status.code(), Some(127), "{missing:?}");
}

#[test]
fn every_signal_reaches_the_program_and_ends_the_helper_only_with_it() {
    let site = Site::new();
    let names = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "ALRM"];
    let text = format!(
        "for signal in {}; do trap \"echo got $signal\" $signal; done; trap 'exit 4' IO; echo up; while :; do sleep 0.05; done",
        names.join(" ")
    );
    let mut helper = exec(&site, Command::new(finial()), "renew_signal = \"SIGUSR2\"", &text);
    helper.wait_for_log("up");
    site.renew();
    helper.wait_for_log("got USR2");
    for (name, number) in [
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("WINCH", Signal::WINCH),
        ("ALRM", Signal::ALARM),
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
    ] {
        signal(&helper, number);
        helper.wait_for_log(&format!("got {name}"));
    }
    signal(&helper, Signal::TERM);
    until("second SIGTERM", || (helper.log().matches("got TERM").count() == 2).then_some(()));
    signal(&helper, Signal::IO);
    assert_eq!(code(helper), 4);
}

#[test]
fn a_helper_that_is_ended_before_it_has_files_never_starts_the_program() {
    let site = Site::without_identity();
    let mut helper = exec(&site, Command::new(finial()), "", "touch \"$SITE/started\"");
    helper.wait_for_log("no identity issued");
    signal(&helper, Signal::TERM);
    assert_eq!(code(helper), 143);
    assert!(!site.path("started").exists());
}

#[test]
fn orphans_are_reaped_by_a_helper_that_is_not_the_first_process() {
    let site = Site::new();
    let helper = exec(&site, Command::new(finial()), "", &format!("{ORPHANS} exit 5"));
    assert_eq!(code(helper), 5);
}

#[test]
fn orphans_are_reaped_and_the_exit_codes_of_hooks_are_not() {
    let (site, port) = (Site::new(), free_port());
    let hook = site.script("hook", "( sleep 0.01 & ); exit 0");
    let lines = format!(
        "health_checks {{ listener_enabled = true bind_port = {port} }}\nhook {{ cmd = \"{hook}\" retries = 0 }}"
    );
    let text = "trap 'exit 6' TERM; while :; do ( sleep 0.01 & ); sleep 0.005; done";
    let mut helper = exec(&site, Command::new(finial()), &lines, text);
    for run in 1..=8 {
        let line = format!("finial_helper_hook_runs_total{{hook=\"hook\",result=\"succeeded\"}} {run}");
        helper.until(&line, || get(port, "/metrics").contains(&line).then_some(()));
        site.renew();
    }
    assert!(get(port, "/metrics").contains("hook_runs_total{hook=\"hook\",result=\"failed\"} 0"));
    signal(&helper, Signal::TERM);
    assert_eq!(code(helper), 6);
}

/// How to be the first process of a PID namespace: as root, or as an ordinary user where user namespaces are allowed.
fn unshared() -> Option<Command> {
    let ways = [
        &["--pid", "--fork", "--mount-proc"][..],
        &["--user", "--map-current-user", "--pid", "--fork", "--mount-proc"],
    ];
    let works = |args: &&[&str]| run(Command::new("unshare").args(*args).arg("true")).status.success();
    let Some(args) = ways.into_iter().find(works) else {
        skip("unshare", false, "no PID namespace can be made here");
        return None;
    };
    let mut command = Command::new("unshare");
    command.args(args).arg(finial());
    Some(command)
}

#[test]
fn as_the_first_process_of_a_container_it_reaps_orphans_and_hands_on_the_code() {
    let Some(program) = unshared() else { return };
    let site = Site::new();
    let helper = exec(&site, program, "", &format!("[ $PPID = 1 ] || exit 8; {ORPHANS} exit 5"));
    assert_eq!(code(helper), 5);
}

#[test]
fn as_the_first_process_of_a_container_it_heeds_signals() {
    let Some(program) = unshared() else { return };
    let site = Site::new();
    let text = "trap 'echo got HUP' HUP; trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let mut helper = exec(&site, program, "", text);
    helper.wait_for_log("up");
    let first = first_process(&helper);
    signal_by_id(&first, Signal::HUP);
    helper.wait_for_log("got HUP");
    signal_by_id(&first, Signal::TERM);
    assert_eq!(code(helper), 7);

    let site = Site::without_identity();
    let Some(program) = unshared() else { return };
    let mut helper = exec(&site, program, "", "exit 0");
    helper.wait_for_log("no identity issued");
    signal_by_id(&first_process(&helper), Signal::TERM);
    assert_eq!(code(helper), 143);
}

/// The one that `unshare` has started, as it is called out here.
fn first_process(unshare: &Process) -> String {
    let id = unshare.id();
    until("child of unshare", || {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    })
}
