//! A process of its own at the other end of a Unix socket, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::Permissions;
use std::io::{BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::{PeerPidfd, PinnedProcess};

/// Names the socket that [`plays_the_peer`] connects to.
const SOCKET: &str = "FINIAL_TEST_SOCKET";

/// This test program once more, connected to this one.
pub(crate) struct Peer {
    child: Child,
    pub(crate) stream: UnixStream,
}

impl Peer {
    pub(crate) fn connect() -> Self {
        Self::connect_by(Command::new(std::env::current_exe().unwrap()))
    }

    /// A peer in a user namespace of its own, where this machine has those.
    pub(crate) fn connect_in_user_namespace() -> Option<Self> {
        let is_possible =
            Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|it| it.success());
        let mut command = Command::new("unshare");
        command.arg("--user").arg(std::env::current_exe().unwrap());
        is_possible.then(|| Self::connect_by(command))
    }

    fn connect_by(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
        let child = command
            .args(["--exact", "testing::plays_the_peer", "--ignored", "--nocapture"])
            .env(SOCKET, &socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (stream, _) = listener.accept().unwrap();
        Self { child, stream }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn pin(&self) -> Arc<PinnedProcess> {
        Arc::new(PinnedProcess::of_peer(&self.stream, PeerPidfd::Preferred).unwrap())
    }

    /// Has the peer execute `program`, which must read its standard input. Its end of the socket closes with that.
    pub(crate) fn exec(&mut self, program: &Path) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{}", program.display()).unwrap();
        assert_eq!(self.stream.read(&mut [0]).unwrap(), 0);
    }

    /// Ends the peer, and leaves the connection as the server saw it.
    pub(crate) fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "started by other tests, as a process of its own"]
fn plays_the_peer() {
    let _connection = UnixStream::connect(std::env::var_os(SOCKET).unwrap()).unwrap();
    let mut program = String::new();
    if std::io::stdin().lock().read_line(&mut program).unwrap() > 0 {
        panic!("{}", Command::new(program.trim_end()).exec());
    }
}
