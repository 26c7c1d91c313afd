//! Who may bind, and what happens when the file goes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::{Access, SocketError, UnixSocket, bind, inode};
use crate::alone::{alone, run};
use crate::{Clock, ClockHand, Tasks};

const SECOND: Duration = Duration::from_secs(1);

fn clock() -> (Clock, ClockHand) {
    Clock::manual(SystemTime::UNIX_EPOCH)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Accepts in the background, as a server does; ends with the test's runtime.
fn serve(mut socket: UnixSocket, clock: Clock) -> mpsc::Receiver<UnixStream> {
    let (accepted, connections) = mpsc::channel(8);
    Tasks::new(clock)
        .spawn("serve", async move { while accepted.send(socket.accept().await).await.is_ok() {} });
    connections
}

#[tokio::test]
async fn folder_and_socket_get_their_permissions_and_both_files_go_with_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/private/api.sock");
    let socket = bind(&path, Access::OWNER_AND_GROUP, &clock().0).unwrap();
    assert_eq!(socket.path(), path);
    assert_eq!([mode(&folder.path().join("run")), mode(path.parent().unwrap())], [0o750, 0o750]);
    assert_eq!(mode(&path), 0o770);
    drop(socket);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    let open = bind(&path, Access::EVERYONE, &clock().0).unwrap();
    assert_eq!(
        (mode(path.parent().unwrap()), mode(&path)),
        (0o750, 0o777),
        "an existing folder is left as it is"
    );
    drop(open);
}

#[tokio::test]
async fn second_instance_is_refused_by_name_and_the_first_is_unharmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let (clock, _hand) = clock();
    let mut first = bind(&path, Access::EVERYONE, &clock).unwrap();
    let error = bind(&path, Access::EVERYONE, &clock).unwrap_err();
    let expected = format!("another process serves {}: stop it, or choose another path", path.display());
    assert_eq!(error.to_string(), expected);
    let (client, _server) = tokio::join!(UnixStream::connect(&path), first.accept());
    client.unwrap();
}

#[tokio::test]
async fn stale_file_of_a_dead_process_is_reclaimed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    fs::write(folder.path().join("agent.sock.lock"), "").unwrap();
    let (clock, _hand) = clock();
    let mut socket = bind(&path, Access::EVERYONE, &clock).unwrap();
    let (client, _server) = tokio::join!(UnixStream::connect(&path), socket.accept());
    client.unwrap();
}

#[tokio::test]
async fn live_socket_of_a_process_that_takes_no_lock_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = bind(&path, Access::EVERYONE, &clock().0).unwrap_err();
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    drop(other);
}

#[tokio::test]
async fn file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    fs::write(&path, "precious").unwrap();
    let error = bind(&path, Access::EVERYONE, &clock().0).unwrap_err();
    let expected =
        format!("{} exists and is no socket: move it away, or choose another path", path.display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn paths_that_cannot_be_bound_are_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(108));
    let error = bind(&long, Access::EVERYONE, &clock().0).unwrap_err().to_string();
    assert!(error.ends_with("is too long for a socket: use at most 107 bytes"), "{error}");
    fs::write(folder.path().join("plain"), "").unwrap();
    let below = folder.path().join("plain/agent.sock");
    let error = bind(&below, Access::EVERYONE, &clock().0).unwrap_err().to_string();
    assert!(error.contains("plain/agent.sock") && error.contains("choose another path"), "{error}");
}

#[tokio::test]
async fn deleted_socket_is_back_within_a_second_and_its_connections_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/agent.sock");
    let (clock, hand) = clock();
    let mut accepted = serve(bind(&path, Access::EVERYONE, &clock).unwrap(), clock);
    let mut before = UnixStream::connect(&path).await.unwrap();
    let mut server = accepted.recv().await.unwrap();

    for remove in [remove_file, remove_folder] {
        hand.sleepers(1).await;
        remove(&path);
        assert!(UnixStream::connect(&path).await.is_err());
        hand.step(SECOND);
        hand.sleepers(1).await;
        assert_eq!(mode(&path), 0o777);
        let _after = UnixStream::connect(&path).await.unwrap();
        accepted.recv().await.unwrap();
    }
    server.write_all(b"still here").await.unwrap();
    let mut answer = [0; 10];
    before.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"still here");
}

fn remove_file(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn remove_folder(path: &Path) {
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn replaced_socket_is_taken_back_only_when_nobody_answers_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let (clock, hand) = clock();
    let mut accepted = serve(bind(&path, Access::EVERYONE, &clock).unwrap(), clock);
    hand.sleepers(1).await;
    fs::remove_file(&path).unwrap();
    let intruder = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (theirs, step) = (inode(&path), || async {
        hand.step(SECOND);
        hand.sleepers(1).await;
    });
    step().await;
    assert_eq!(inode(&path), theirs, "a live peer's socket is never unlinked");
    drop(intruder);
    step().await;
    let _client = UnixStream::connect(&path).await.unwrap();
    accepted.recv().await.unwrap();
}

#[tokio::test]
async fn dropping_leaves_a_file_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let socket = bind(&path, Access::EVERYONE, &clock().0).unwrap();
    for name in ["agent.sock", "agent.sock.lock"] {
        fs::rename(folder.path().join(name), folder.path().join(format!("{name}.moved"))).unwrap();
        fs::write(folder.path().join(name), "another's").unwrap();
    }
    drop(socket);
    for name in ["agent.sock", "agent.sock.lock"] {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"another's");
    }
}

#[tokio::test]
async fn lock_that_was_deleted_is_taken_again_before_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let lock = folder.path().join("agent.sock.lock");
    let (clock, hand) = clock();
    let _accepted = serve(bind(&path, Access::EVERYONE, &clock).unwrap(), clock);
    hand.sleepers(1).await;
    fs::remove_file(&lock).unwrap();
    fs::remove_file(&path).unwrap();
    let other = fs::File::create(&lock).unwrap();
    other.lock().unwrap();
    hand.step(SECOND);
    hand.sleepers(1).await;
    assert_eq!(inode(&path), None, "another process holds the lock by now");
    drop(other);
    hand.step(SECOND);
    hand.sleepers(1).await;
    assert!(inode(&path).is_some());
}

#[tokio::test]
async fn listener_that_fails_is_replaced_after_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let (clock, hand) = clock();
    let mut socket = bind(&path, Access::EVERYONE, &clock).unwrap();
    let broken = socket.inode;
    // A socket that does not listen: accept fails, and would for ever.
    let deaf = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None);
    let good = std::mem::replace(&mut socket.listener, UnixListener::from_std(deaf.unwrap().into()).unwrap());
    drop(good);
    let mut accepted = serve(socket, clock);
    hand.sleepers(1).await;
    assert_eq!(hand.next_wake(), Some(SystemTime::UNIX_EPOCH + SECOND), "not failed yet");
    while hand.next_wake() == Some(SystemTime::UNIX_EPOCH + SECOND) {
        tokio::task::yield_now().await;
    }
    assert_eq!(inode(&path), Some(broken), "it pauses first");
    hand.advance_to_next_wake();
    hand.sleepers(1).await;
    let _client = UnixStream::connect(&path).await.unwrap();
    accepted.recv().await.unwrap();
}

#[tokio::test]
async fn connections_come_as_a_stream_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let mut stream = std::pin::pin!(bind(&path, Access::EVERYONE, &clock().0).unwrap().into_stream());
    for _ in 0..3 {
        let (client, server) = tokio::join!(UnixStream::connect(&path), stream.next());
        client.unwrap();
        server.unwrap().unwrap();
    }
}

#[test]
fn shortage_of_open_files_is_waited_out_without_giving_the_socket_up() {
    let name = "socket::tests::shortage_of_open_files_is_waited_out_without_giving_the_socket_up";
    alone(name, || run(run_out_of_files()));
}

async fn run_out_of_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let (clock, hand) = clock();
    let mut socket = bind(&path, Access::EVERYONE, &clock).unwrap();
    let own = socket.inode;
    let _client = UnixStream::connect(&path).await.unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum }).unwrap();
    let recovery = async {
        for _ in 0..3 {
            hand.sleepers(1).await;
            hand.advance_to_next_wake();
            tokio::task::yield_now().await;
        }
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
        loop {
            hand.sleepers(1).await;
            hand.advance_to_next_wake();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _stream = socket.accept() => {}
        () = recovery => unreachable!("recovery never ends"),
    }
    assert_eq!(socket.inode, own, "the listener was not at fault");
}
