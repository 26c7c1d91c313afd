//! Many Envoys on one agent, as on a busy node: all of them start, serve, and follow each change.
//!
//! A few in `make test`; with `FINIAL_SOAK=1`, as `make soak` sets, as many as there is memory for, up to 450.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finial_daemon::Clock;
use finial_testkit::{Pair, Process, memory, memory_available, processor_time, run, until};
use serde_json::Value;

use super::{get, program};
use crate::peers;

/// How many: (in `make test`, in `make soak`).
const CROWD: (usize, usize) = (8, 450);
/// How many start at a time.
const WAVE: usize = 8;
/// What one of them takes of the machine's memory, and what is left to others, in KiB.
const EACH: u64 = 24 << 10;
const RESERVE: u64 = 2 << 20;
/// How long a change may take to reach the last of them.
const SOON: Duration = Duration::from_secs(5);
/// The most that the agent may use beyond what it uses for none of them, in KiB: for the first, and for each.
const AGENT_SHARE: (u64, u64) = (8 << 10, 128);

const CONFIGURATION: &str = include_str!("crowd.yaml");

#[test]
fn a_crowd_of_envoys_is_served_and_follows_each_change() {
    let (Some(program), Some(curl)) = (program(), peers::program("curl")) else { return };
    let pair = Pair::new();
    let (_server, agent) = (pair.server(), pair.join());
    // The most so far: what the start needed of the program's code is given back, and comes again in part.
    let (_, alone) = memory(agent.id());
    let crowd = Crowd::start(&program, &pair, agent);
    let (first, everybody) = (svid(&pair, "first"), crowd.members.len());
    assert_eq!(crowd.serving(&curl, &first), everybody);

    let next = crowd.follow("next authority", "ROOTCA", || {
        authority(&pair, &["prepare"], "/prepared_authority/authority_id")
    });
    let old = crowd.follow("new certificate", "default", || {
        let old = authority(&pair, &["show"], "/active/authority_id");
        authority(&pair, &["activate", "-authorityID", &next], "/activated_authority/authority_id");
        authority(&pair, &["taint", "-authorityID", &old], "/tainted_authority/authority_id")
    });
    assert_eq!(crowd.serving(&curl, &first), everybody);
    crowd.follow("end of the old authority", "ROOTCA", || {
        authority(&pair, &["revoke", "-authorityID", &old], "/revoked_authority/authority_id")
    });
    assert_eq!(crowd.serving(&curl, &first), 0);
    assert_eq!(crowd.serving(&curl, &svid(&pair, "second")), everybody);

    assert!(crowd.members.iter().all(|envoy| envoy.count("ROOTCA.update_rejected") == 0));
    let (_, most) = memory(crowd.agent.id());
    let (used, allowed) = (most.saturating_sub(alone), AGENT_SHARE.0 + AGENT_SHARE.1 * everybody as u64);
    assert!(used < allowed, "the agent used {used} KiB more than for no Envoy, instead of {allowed} at most");
}

struct Crowd {
    members: Vec<Member>,
    agent: Process,
}

impl Crowd {
    /// Starts all of them, some at a time, and waits until each has its secrets.
    fn start(program: &Path, pair: &Pair, agent: Process) -> Self {
        let configuration = pair.path("envoy.yaml");
        let text = CONFIGURATION.replace("AGENT_SOCKET", &pair.path("agent.sock"));
        std::fs::write(&configuration, text).expect("its configuration");
        let size = size();
        let mut crowd = Self { members: Vec::with_capacity(size), agent };
        crowd.report("before the first Envoy");
        while crowd.members.len() < size {
            let wave = crowd.members.len()..size.min(crowd.members.len() + WAVE);
            let start =
                |number| Member::start(program, &configuration, pair.path(&format!("admin-{number}")));
            let started: Vec<Starting> = wave.map(start).collect();
            crowd.members.extend(started.into_iter().map(Starting::live));
        }
        crowd.report(&format!("{size} Envoys serve"));
        crowd
    }

    /// How many of them let in the bearer of this SVID.
    fn serving(&self, curl: &Path, svid: &Path) -> usize {
        self.members.iter().filter(|envoy| envoy.serves(curl, svid)).count()
    }

    /// Makes a change, and waits until it has brought each of them the secret anew, soon enough.
    fn follow<T>(&self, what: &str, secret: &str, change: impl FnOnce() -> T) -> T {
        let (success, time) = (format!("{secret}.update_success"), format!("{secret}.update_time"));
        let before: Vec<u64> = self.members.iter().map(|envoy| envoy.count(&success)).collect();
        let began = Clock::system().now();
        let changed = change();
        for (envoy, before) in self.members.iter().zip(before) {
            until(what, || (envoy.count(&success) > before).then_some(()));
        }
        let times = self.members.iter().map(|envoy| UNIX_EPOCH + Duration::from_millis(envoy.count(&time)));
        let (first, last) = times.fold((None, began), |(first, last), time| {
            (Some(first.map_or(time, |first: SystemTime| first.min(time))), last.max(time))
        });
        let after = |time: SystemTime| time.duration_since(began).unwrap_or_default();
        let (first, last) = (after(first.expect("a crowd")), after(last));
        self.report(&format!("{what}: the first Envoy had it after {first:.0?}, the last after {last:.0?}"));
        assert!(last < SOON, "{what} took {last:?} to reach the last Envoy");
        changed
    }

    #[expect(clippy::print_stdout, reason = "the figures of a soak")]
    fn report(&self, what: &str) {
        let (memory, spent) = (memory(self.agent.id()).0 / 1024, processor_time(self.agent.id()));
        println!("{what}; so far the agent has {memory} MiB, and needed {spent:.1?} of processor time");
    }
}

/// How many are to be started.
fn size() -> usize {
    let (few, many) = CROWD;
    let fits = memory_available().saturating_sub(RESERVE) / EACH;
    match std::env::var_os("FINIAL_SOAK") {
        Some(_) => many.min(fits as usize),
        None => few,
    }
}

/// An Envoy whose ports are not known yet.
struct Starting {
    process: Process,
    admin: String,
}

impl Starting {
    /// Waits until it has everything that it needs.
    fn live(mut self) -> Member {
        let admin = self.process.until("administration", || {
            let address = std::fs::read_to_string(&self.admin).ok()?;
            port(&address)
        });
        self.process.until("secrets", || {
            // Without them it says that it lives, after 15 s.
            let stats = get(admin, "/stats?filter=update_success")?;
            (stats.matches("update_success: 1").count() == 2).then_some(())
        });
        let ready = || get(admin, "/ready").filter(|answer| answer.contains("LIVE"));
        self.process.until("readiness", ready);
        let listeners = get(admin, "/listeners").expect("its listeners");
        let inbound = listeners.lines().find_map(|line| port(line.strip_prefix("inbound::")?));
        Member { inbound: inbound.expect("its port"), admin, _process: self.process }
    }
}

/// The number after the last colon.
fn port(text: &str) -> Option<u16> {
    text.trim().rsplit_once(':')?.1.parse().ok()
}

/// One of the crowd. It ends when this is dropped.
struct Member {
    _process: Process,
    admin: u16,
    inbound: u16,
}

impl Member {
    fn start(program: &Path, configuration: &str, admin: String) -> Starting {
        let mut command = Command::new(program);
        command.args(["-c", configuration, "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]);
        command.args(["--admin-address-path", &admin]);
        Starting { process: Process::spawn("envoy", &mut command), admin }
    }

    /// What it counted of one of its secrets.
    fn count(&self, name: &str) -> u64 {
        let stats = get(self.admin, "/stats?filter=^sds").expect("its statistics");
        let prefix = format!("sds.{name}: ");
        let count = stats.lines().find_map(|line| line.strip_prefix(&prefix)).expect("the count");
        count.parse().expect("a number")
    }

    /// Whether it lets in the bearer of this SVID.
    fn serves(&self, curl: &Path, svid: &Path) -> bool {
        let mut command = Command::new(curl);
        command.args(["--silent", "--insecure", "--max-time", "5"]).current_dir(svid);
        command.args(["--cert", "svid.0.pem", "--key", "svid.0.key"]);
        let answer = run(command.arg(format!("https://127.0.0.1:{}/", self.inbound)));
        answer.stdout.contains("hello from the crowd")
    }
}

/// Writes this user's SVID to a new folder.
fn svid(pair: &Pair, name: &str) -> PathBuf {
    let folder = pair.path(name);
    std::fs::create_dir(&folder).expect("a folder");
    pair.cli(&["api", "fetch", "x509", "-write", &folder]).expect_success();
    folder.into()
}

/// One step of a rotation; gives the ID of the authority that it was about.
fn authority(pair: &Pair, verb: &[&str], pointer: &str) -> String {
    let answer =
        pair.cli(&[&["localauthority", "x509"], verb, &["-output", "json"]].concat()).expect_success();
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer.pointer(pointer).and_then(Value::as_str).expect("an authority").to_owned()
}
