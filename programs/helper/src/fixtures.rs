//! What several tests stand on: deliveries by hand, and what shell scripts say.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use crate::config::CommandLine;
use crate::delivered::{Delivered, Deliveries};

/// Longer than anything takes on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Fails rather than hangs.
pub(crate) async fn bounded<T>(work: impl Future<Output = T>) -> T {
    Clock::system().timeout(LIMIT, work).await.expect("it hangs")
}

pub(crate) fn clock() -> (Clock, ClockHand) {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

/// Stands in for whoever writes files.
pub(crate) struct Writer(watch::Sender<Delivered>);

impl Writer {
    /// Nothing is written yet.
    pub(crate) fn new() -> (Self, Deliveries) {
        let (sender, deliveries) = watch::channel(Delivered::default());
        (Self(sender), deliveries)
    }

    /// A certificate, which makes all complete.
    pub(crate) fn deliver(&self) {
        self.0.send_modify(|delivered| (delivered.x509, delivered.complete) = (delivered.x509 + 1, true));
    }

    /// A token, which does not.
    pub(crate) fn deliver_jwt(&self) {
        self.0.send_modify(|delivered| delivered.jwt += 1);
    }
}

/// Hears what scripts say, line by line. A script writes to its `$1`.
pub(crate) struct Ears {
    folder: TempDir,
    lines: Lines<BufReader<pipe::Receiver>>,
}

impl Ears {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ears");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_bits_truncate(0o600), 0).unwrap();
        let receiver = pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        Self { folder, lines: BufReader::new(receiver).lines() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A script for the shell.
    pub(crate) fn script(&self, text: &str) -> CommandLine {
        let ears = self.path("ears").into_os_string();
        let arguments = ["-c".into(), OsString::from(text), "script".into(), ears];
        CommandLine { program: "/bin/sh".into(), arguments: arguments.into() }
    }

    pub(crate) async fn next(&mut self) -> String {
        bounded(self.lines.next_line()).await.unwrap().expect("somebody may still write")
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
