//! Rule of trust 6, with the one thing that makes it necessary: a process that has taken over the process id.
#![allow(unsafe_code)]

use std::io::Write;
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;

use std::sync::Arc;

use super::*;
use crate::{UnixAttestor, UnixConfig, WorkloadAttestors};

/// The tool that enters a PID namespace of its own, as a user who is root in there only.
const NAMESPACE: [&str; 6] = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];

#[test]
fn rule_6_process_that_took_over_the_process_id_gets_no_identity() {
    let possible = Command::new("unshare").args(NAMESPACE).arg("true").output();
    match possible {
        Ok(output) if output.status.success() => {}
        Ok(output) => return skip(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => return skip(&error.to_string()),
    }
    let inside = Command::new("unshare")
        .args(NAMESPACE)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::pid_reuse::inside_a_pid_namespace", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inside.stdout);
    assert!(inside.status.success(), "{said}{}", String::from_utf8_lossy(&inside.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started in a PID namespace by rule_6_process_that_took_over_the_process_id_gets_no_identity"]
async fn inside_a_pid_namespace() {
    let mut peer = Peer::connect();
    let connected = PeerCredentials::of(&peer.stream).unwrap();
    let pinned = peer.pin();
    let pinned_by_pid = PinnedProcess::open(connected, pin::by_pid(connected).unwrap()).unwrap();
    let attestors = attestors();
    let attested = attestors.attest(&pinned).await.unwrap();
    assert!(!attested.selectors().is_empty());

    peer.end();
    let usurper = Usurper::with_process_id(peer.pid());

    // To whoever trusts the number, nothing has changed: same id, same user, same program.
    let mistaken = PinnedProcess::open(connected, pin::by_pid(connected).unwrap()).unwrap();
    assert_eq!(mistaken.pid(), usurper.pid.as_raw_pid());
    assert_eq!(mistaken.image().unwrap().file, Some(image_of_this_program()));
    assert_eq!(PeerCredentials::of(&peer.stream).unwrap(), connected);

    // To us the peer is gone, whether it was pinned in time or not.
    let gone = Gone { pid: peer.pid() };
    assert_eq!(pinned.still_the_same(), Err(gone));
    assert_eq!(attested.process().still_the_same(), Err(gone));
    assert_eq!(pinned_by_pid.still_the_same(), Err(gone));
    assert!(matches!(pinned.read("status"), Err(AttestError::Gone(_))));
    assert!(matches!(attestors.attest(&pinned).await, Err(AttestError::Gone(_))));
    let before = open_files();
    for _ in 0..1000 {
        let late = PinnedProcess::of_peer(&peer.stream, PeerPidfd::Required);
        assert!(matches!(late, Err(AttestError::Gone(found)) if found == gone), "{late:?}");
    }
    assert_eq!(open_files(), before, "refused callers leave no file open");
}

fn attestors() -> WorkloadAttestors {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    let unix: Arc<dyn crate::WorkloadAttestor> =
        Arc::new(UnixAttestor::new(UnixConfig::default(), clock.clone()));
    WorkloadAttestors::new([unix], Duration::from_secs(5), clock)
}

fn image_of_this_program() -> (u64, u64) {
    let file = rustix::fs::stat("/proc/self/exe").unwrap();
    (file.st_dev, file.st_ino)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Not through the test harness, which hides what a test that passes has printed.
fn skip(why: &str) {
    let why = why.trim_end();
    writeln!(std::io::stderr(), "SKIPPED: PID reuse: this machine gives no PID namespace: {why}").unwrap();
}

/// A process that was born with a process id of our choice.
struct Usurper {
    pid: Pid,
}

impl Usurper {
    fn with_process_id(wanted: i32) -> Self {
        let set_tid = [wanted];
        let arguments = libc::clone_args {
            flags: 0,
            pidfd: 0,
            child_tid: 0,
            parent_tid: 0,
            exit_signal: libc::SIGCHLD as u64,
            stack: 0,
            stack_size: 0,
            tls: 0,
            set_tid: set_tid.as_ptr() as u64,
            set_tid_size: set_tid.len() as u64,
            cgroup: 0,
        };
        // SAFETY: without CLONE_VM this is a fork: the child has a copy of the memory and of this thread alone. Locks
        // that other threads held stay locked in it, so it calls nothing but pause(2), which takes none. `arguments`
        // and `set_tid` outlive the call, which reads them and writes nothing.
        let born = unsafe {
            libc::syscall(libc::SYS_clone3, &raw const arguments, std::mem::size_of::<libc::clone_args>())
        };
        if born == 0 {
            loop {
                // SAFETY: pause(2) touches no memory.
                unsafe { libc::pause() };
            }
        }
        assert_eq!(born, i64::from(wanted), "clone3: {}", std::io::Error::last_os_error());
        Self { pid: Pid::from_raw(wanted).unwrap() }
    }
}

impl Drop for Usurper {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
    }
}
