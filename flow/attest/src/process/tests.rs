//! Tests of pinned processes, with a real process at the other end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod pid_reuse;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::testing::Peer;

#[test]
fn peer_is_the_process_that_connected() {
    let peer = Peer::connect();
    let process = peer.pin();
    assert_eq!(process.pid(), peer.pid());
    assert_eq!(process.credentials().pid(), peer.pid());
    assert_eq!(process.credentials().uid(), rustix::process::geteuid().as_raw());
    assert_eq!(process.still_the_same(), Ok(()));
}

#[test]
fn peer_that_has_ended_is_gone() {
    let mut peer = Peer::connect();
    let process = peer.pin();
    peer.end();
    let gone = Gone { pid: peer.pid() };
    assert_eq!(process.still_the_same(), Err(gone));
    assert!(matches!(process.read("status"), Err(AttestError::Gone(found)) if found == gone));
    assert!(matches!(process.executable(), Err(AttestError::Gone(found)) if found == gone));
}

#[test]
fn peer_that_ended_before_it_was_pinned_is_gone() {
    let mut peer = Peer::connect();
    peer.end();
    for pidfd in [PeerPidfd::Preferred, PeerPidfd::Required] {
        let pinned = PinnedProcess::of_peer(&peer.stream, pidfd);
        assert!(matches!(pinned, Err(AttestError::Gone(Gone { pid })) if pid == peer.pid()), "{pinned:?}");
    }
}

#[test]
fn peer_pinned_by_process_id_is_gone_when_it_ends() {
    let mut peer = Peer::connect();
    let credentials = PeerCredentials::of(&peer.stream).unwrap();
    let process = PinnedProcess::open(credentials, pin::by_pid(credentials).unwrap()).unwrap();
    assert_eq!(process.still_the_same(), Ok(()));
    peer.end();
    assert_eq!(process.still_the_same(), Err(Gone { pid: peer.pid() }));
    assert!(matches!(pin::by_pid(credentials), Err(AttestError::Gone(_))));
}

#[test]
fn named_process_is_found_with_its_user_and_gone_when_it_ends() {
    let mut peer = Peer::connect();
    let process = PinnedProcess::of_pid(peer.pid()).unwrap();
    assert_eq!(process.pid(), peer.pid());
    assert_eq!(process.credentials(), PeerCredentials::of(&peer.stream).unwrap());
    peer.end();
    assert_eq!(process.still_the_same(), Err(Gone { pid: peer.pid() }));
    assert!(matches!(PinnedProcess::of_pid(peer.pid()), Err(AttestError::Gone(_))));
}

#[test]
fn number_of_no_process_is_refused() {
    for pid in [i32::MAX, 0, -1] {
        assert!(PinnedProcess::of_pid(pid).is_err(), "{pid}");
    }
}

#[test]
fn zombie_is_gone() {
    let mut peer = Peer::connect();
    let process = peer.pin();
    rustix::process::kill_process(process.pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(peer.stream.read(&mut [0]).unwrap(), 0);
    let mut ended = [PollFd::new(&process.pidfd, PollFlags::IN)];
    poll(&mut ended, None).unwrap();
    assert!(Path::new("/proc").join(peer.pid().to_string()).exists(), "not reaped yet");
    assert!(process.still_the_same().is_err());
    assert!(PinnedProcess::of_peer(&peer.stream, PeerPidfd::Required).is_err());
}

#[test]
fn only_a_unix_socket_has_a_peer_process() {
    let file = tempfile::tempfile().unwrap();
    let pinned = PinnedProcess::of_peer(&file, PeerPidfd::Required);
    assert!(matches!(pinned, Err(AttestError::Peer { .. })), "{pinned:?}");
}

#[test]
fn socket_pair_has_this_process_at_both_ends() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let process = PinnedProcess::of_peer(&ours, PeerPidfd::Required).unwrap();
    assert_eq!(process.pid(), rustix::process::getpid().as_raw_pid());
}

#[test]
fn missing_file_of_a_living_process_is_named() {
    let peer = Peer::connect();
    let error = peer.pin().read("no_such_file").unwrap_err();
    assert_eq!(error.to_string(), format!("`no_such_file` of process {} could not be read", peer.pid()));
}

#[test]
fn exec_changes_the_image_and_not_the_process() {
    let mut peer = Peer::connect();
    let process = peer.pin();
    let before = process.image().unwrap();
    assert_eq!(process.image().unwrap(), before);
    peer.exec(Path::new("/bin/cat"));
    let after = process.image().unwrap();
    assert_ne!(after, before);
    assert_eq!(process.still_the_same(), Ok(()));
}

#[test]
fn path_is_that_of_the_program() {
    let mut peer = Peer::connect();
    peer.exec(Path::new("/bin/cat"));
    let executable = peer.pin().executable().unwrap();
    assert_eq!(executable.path().unwrap(), Path::new("/bin/cat").canonicalize().unwrap());
}

#[test]
fn replaced_program_keeps_its_path_and_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let program = copy_of_cat(&folder.path().join("program"));
    let mut peer = Peer::connect();
    peer.exec(&program);
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "another").unwrap();
    let executable = peer.pin().executable().unwrap();
    assert_eq!(executable.path().unwrap(), program);
    let mut content = Vec::new();
    executable.open().unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, std::fs::read("/bin/cat").unwrap());
}

#[test]
fn program_that_is_called_deleted_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let program = copy_of_cat(&folder.path().join("program (deleted)"));
    let mut peer = Peer::connect();
    peer.exec(&program);
    assert_eq!(peer.pin().executable().unwrap().path().unwrap(), program);
}

#[test]
fn ids_are_the_effective_ones() {
    let status = b"Name:\ta\\nUid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \nNgid:\t0\n";
    let ids = Ids::parse(status).unwrap();
    assert_eq!(ids, Ids { uid: 2, gid: 6, groups: vec![10, 20] });
    let none = b"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t\n";
    assert_eq!(Ids::parse(none).unwrap().groups, Vec::<u32>::new());
}

#[test]
fn status_without_ids_is_refused() {
    for bad in [
        "",
        "Uid:\t1\t2\nGid:\t1\t2\n",
        "Uid:\t1\nGid:\t1\t2\nGroups:\t\n",
        "Uid:\t1\t-2\nGid:\t1\t2\nGroups:\t\n",
        "Uid:\t1\t2\nGid:\t1\t4294967296\nGroups:\t\n",
        "Uid:\t1\t2\nGid:\t1\t2\nGroups:\t1 x\n",
    ] {
        assert_eq!(Ids::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn fdinfo_tells_the_process_id_in_proc() {
    assert_eq!(stat::fdinfo_pid(b"pos:\t0\nflags:\t02000002\nPid:\t17\nNSpid:\t17\t1\n"), Some(17));
    assert_eq!(stat::fdinfo_pid(b"Pid:\t-1\n"), Some(-1));
    assert_eq!(stat::fdinfo_pid(b"pos:\t0\n"), None);
}

/// Copied by another process: this one must hold no handle for writing while it forks.
fn copy_of_cat(to: &Path) -> std::path::PathBuf {
    assert!(Command::new("cp").args(["/bin/cat".as_ref(), to.as_os_str()]).status().unwrap().success());
    to.to_owned()
}
