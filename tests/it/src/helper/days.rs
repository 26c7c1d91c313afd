//! Bad days of a folder: full, read-only, or an agent that is gone. Old files stay, the log says what would help, and once
//! it did, the newest SVID stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_daemon::{Clock, Tasks};
use finial_testkit::{Process, finial, run, until};

use super::{Home, helper, serial_number};
use crate::agent::{Agent, Authorities};

const ID: &str = "spiffe://example.org/db";

/// A helper whose folder is a file system of its own, of this many KiB.
struct Confined {
    helper: Process,
    /// The folder as it sees it, by its own eyes.
    certs: PathBuf,
}

/// Needs root for the mount; `None` without.
fn confined(home: &Home, config: &Path, kib: u32) -> Option<Confined> {
    let certs = home.certs();
    let mount = format!("mount -t tmpfs -o size={kib}k finial {}", certs.display());
    if !run(Command::new("unshare").args(["-m", "sh", "-c", &mount])).status.success() {
        eprintln!("skipped: file systems cannot be mounted here");
        return None;
    }
    let run = format!("{mount} && exec {} helper run -config {}", finial().display(), config.display());
    let helper = Process::spawn("helper", Command::new("unshare").args(["-m", "sh", "-c", &run]));
    let root = format!("/proc/{}/root", helper.id());
    let certs = Path::new(&root).join(certs.strip_prefix("/").unwrap());
    Some(Confined { helper, certs })
}

impl Confined {
    /// Runs a command where the helper sees its folder.
    fn inside(&self, args: &[&str]) {
        let process = self.helper.id().to_string();
        run(Command::new("nsenter").args(["-m", "-t", &process]).args(args)).expect_success();
    }

    fn wait_for(&mut self, agent: &Agent) {
        let certs = self.certs.clone();
        let stands = || serial_number(&certs).filter(|serial| *serial == agent.serial_number());
        self.helper.until("the newest SVID", stands);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// What is done to the folder, and undone; and what the log says.
fn survives(harm: impl Fn(&Confined), heal: impl Fn(&Confined), remedy: &str) {
    let (runtime, tasks) = (runtime(), Tasks::new(Clock::system()));
    let (home, authorities) = (Home::new(), Authorities::new());
    let agent = runtime.block_on(async { Agent::serve(ID, &authorities, &home.path("agent.sock"), &tasks) });
    let config = home.configure(&agent.socket, "");
    let Some(mut confined) = confined(&home, &config, 256) else { return };
    confined.wait_for(&agent);
    let before = serial_number(&confined.certs);
    harm(&confined);
    agent.rotate(&authorities);
    confined.helper.wait_for_log(remedy);
    assert_eq!(serial_number(&confined.certs), before, "what stood there stays");
    heal(&confined);
    confined.wait_for(&agent);
}

#[test]
fn full_disk_leaves_the_old_files_and_is_survived() {
    let filler = |confined: &Confined| confined.certs.join("filler");
    survives(
        // It ends when there is no more room, which is what it is for.
        |confined| drop(fs::write(filler(confined), vec![0; 1 << 20])),
        |confined| fs::remove_file(filler(confined)).unwrap(),
        "make room on the file system of",
    );
}

#[test]
fn read_only_file_system_leaves_the_old_files_and_is_survived() {
    let remount = |confined: &Confined, how: &str| {
        let root = format!("/proc/{}/root", confined.helper.id());
        let certs = Path::new("/").join(confined.certs.strip_prefix(root).unwrap());
        confined.inside(&["mount", "-o", &format!("remount,{how}"), &certs.to_string_lossy()]);
    };
    survives(|confined| remount(confined, "ro"), |confined| remount(confined, "rw"), "for writing");
}

#[test]
fn agent_that_starts_late_and_is_gone_for_a_while_is_waited_for() {
    let (home, authorities) = (Home::new(), Authorities::new());
    let socket = home.path("agent.sock");
    let config = home.configure(&socket, "");
    let mut helper = helper(&config);
    helper.wait_for_log("stream of the workload api failed; trying again");
    for _ in 0..2 {
        // With a runtime of its own, so that its connections end with it.
        let runtime = runtime();
        let tasks = Tasks::new(Clock::system());
        let agent = runtime.block_on(async { Agent::serve(ID, &authorities, &socket, &tasks) });
        until("the agent's SVID", || {
            serial_number(&home.certs()).filter(|serial| *serial == agent.serial_number())
        });
        drop(runtime);
        fs::remove_file(&socket).unwrap();
        assert!(serial_number(&home.certs()).is_some());
    }
}

#[test]
fn folder_that_is_missing_at_the_start_is_told() {
    let home = Home::new();
    let config = home.configure(&home.path("agent.sock"), "");
    fs::remove_dir(home.certs()).unwrap();
    let mut helper = helper(&config);
    assert_eq!(helper.wait().code(), Some(1));
    let told = format!("create the folder {}", home.certs().display());
    assert!(helper.log().contains(&told), "{}", helper.log());
}
