//! A process that cannot be mistaken for another: pinned by pidfd, and read only while that says that it lives.

pub(crate) mod executable;
pub(crate) mod pin;
pub(crate) mod stat;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use self::stat::Ids;
use crate::{AttestError, Executable, Gone, PeerCredentials, PeerPidfd};

/// The process that connected a Unix socket, held so that its process id cannot come to mean another process.
///
/// A process id is a number that the kernel gives away again. A pidfd is not: it means one process for good. A file below
/// `/proc/<pid>` is opened after the pidfd and before a look at whether the process lives, so it belongs to the same
/// process, and goes dead with it. One descriptor is all that is held meanwhile.
///
/// Ask [`still_the_same`](Self::still_the_same) after reading and before each answer. A process may still become
/// another *program* (exec): attest it again for each answer, which is what
/// [`WorkloadAttestors::attest`](crate::WorkloadAttestors::attest) is cheap enough for.
#[derive(Debug)]
pub struct PinnedProcess {
    credentials: PeerCredentials,
    pid: Pid,
    pidfd: OwnedFd,
}

impl PinnedProcess {
    /// Pins the process that connected `socket`, an accepted Unix stream.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when it has ended; [`AttestError::Invisible`] when it lives in a PID namespace that
    /// cannot be seen from here; [`AttestError::NoPeerPidfd`] when the kernel is older than Linux 6.5 and `pidfd`
    /// requires more; [`AttestError::Peer`] when `socket` is none.
    pub fn of_peer(socket: &impl AsFd, pidfd: PeerPidfd) -> Result<Self, AttestError> {
        let credentials = PeerCredentials::of(socket).map_err(|source| AttestError::Peer { source })?;
        let pinned = pin::peer(socket, credentials, pidfd)?;
        Self::open(credentials, pinned)
    }

    /// Pins the process that has this id now, in the PID namespace of this program. Whoever names a process so must know
    /// that it is still the one that is meant.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when there is none; otherwise as for [`of_peer`](Self::of_peer).
    pub fn of_pid(pid: i32) -> Result<Self, AttestError> {
        // Replaced below by what the process itself is found to be.
        let unknown = PeerCredentials::new(pid, u32::MAX, u32::MAX);
        let mut process = Self::open(unknown, pin::named(pid)?)?;
        let ids = process.ids()?;
        process.credentials = PeerCredentials::new(pid, ids.uid, ids.gid);
        process.still_the_same()?;
        Ok(process)
    }

    fn open(credentials: PeerCredentials, pidfd: OwnedFd) -> Result<Self, AttestError> {
        let pid = pin::visible_pid(&pidfd, credentials.pid())?;
        let process = Self { credentials, pid, pidfd };
        rustix::fs::stat(process.file(DIRECTORY)).map_err(|errno| unreadable(pid, DIRECTORY, errno))?;
        process.still_the_same()?;
        Ok(process)
    }

    /// What the kernel noted when the process connected, or what the process was when it was pinned by its id.
    pub fn credentials(&self) -> PeerCredentials {
        self.credentials
    }

    /// Its process id, in the PID namespace of `/proc`.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// Whether the process that was pinned still lives. Cheap: one `poll`.
    ///
    /// # Errors
    /// [`Gone`] when it has ended, whoever may have its process id now.
    pub fn still_the_same(&self) -> Result<(), Gone> {
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        match poll(&mut ended, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) => Ok(()),
            Ok(_) | Err(_) => Err(Gone { pid: self.pid() }),
        }
    }

    /// Reads a file of its `/proc` directory, such as `status` or `cgroup`; at most 1 MiB of it.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when the process has ended, [`AttestError::Proc`] for any other reason.
    pub fn read(&self, file: &str) -> Result<Vec<u8>, AttestError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = self.open_file(file, flags)?;
        let mut content = Vec::with_capacity(USUAL_SIZE);
        let read = File::from(opened).take(FILE_LIMIT).read_to_end(&mut content);
        read.map_err(|error| self.unreadable(file, Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        Ok(content)
    }

    /// Its effective user and group now, and its supplementary groups, all read at one moment.
    pub(crate) fn ids(&self) -> Result<Ids, AttestError> {
        Ids::parse(&self.read("status")?).ok_or_else(|| self.unreadable("status", Errno::INVAL))
    }

    /// The program that the process runs, held open.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn executable(&self) -> Result<Executable, AttestError> {
        Executable::of(self.pid(), self.open_file("exe", OFlags::PATH | OFlags::CLOEXEC)?)
    }

    /// A file of its `/proc` directory, which is its own: the process lives after the file was opened, so nobody else had
    /// its process id before.
    fn open_file(&self, name: &str, flags: OFlags) -> Result<OwnedFd, AttestError> {
        let opened = rustix::fs::open(self.file(name), flags, Mode::empty());
        let opened = opened.map_err(|errno| self.unreadable(name, errno))?;
        self.still_the_same()?;
        Ok(opened)
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid())
    }

    /// What pins it.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether it is in the user namespace of this program, where nobody but an administrator can mount anything.
    pub(crate) fn shares_user_namespace(&self) -> bool {
        let theirs = rustix::fs::stat(self.file("ns/user"));
        let ours = rustix::fs::stat("/proc/self/ns/user");
        let is_ours = theirs
            .ok()
            .zip(ours.ok())
            .is_some_and(|(theirs, ours)| (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino));
        // After the look: until then nobody else had its process id.
        is_ours && self.still_the_same().is_ok()
    }

    /// Tells one program that the process runs from the next; equal as long as there was no exec of another file.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when the process has ended.
    pub(crate) fn image(&self) -> Result<Image, AttestError> {
        // The link cannot be followed by an agent that may not trace the process, and leads nowhere in a kernel thread.
        let file = rustix::fs::stat(self.file("exe")).ok();
        self.still_the_same()?;
        Ok(Image { file: file.map(|file| (file.st_dev, file.st_ino)) })
    }

    fn unreadable(&self, file: &str, errno: Errno) -> AttestError {
        match self.still_the_same() {
            Ok(()) => unreadable(self.pid, file, errno),
            Err(gone) => gone.into(),
        }
    }
}

/// A program in a pinned process: the file it runs (device, inode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    file: Option<(u64, u64)>,
}

fn unreadable(pid: Pid, file: &str, errno: Errno) -> AttestError {
    let pid = pid.as_raw_pid();
    match errno {
        Errno::SRCH => Gone { pid }.into(),
        Errno::NOENT if file == DIRECTORY => Gone { pid }.into(),
        _ => AttestError::Proc { pid, file: file.to_owned(), source: io::Error::from(errno) },
    }
}

/// The most that is read of one file below `/proc/<pid>`: 1 MiB. `mountinfo` of a busy node has some 100 KiB.
const FILE_LIMIT: u64 = 1 << 20;
/// Most files there are smaller: room for one read, and one more that finds the end.
const USUAL_SIZE: usize = 4096;
/// Stands for `/proc/<pid>` itself among the names of its files.
const DIRECTORY: &str = ".";
