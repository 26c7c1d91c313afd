//! A signal to the process that a file names, and to no other.

#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getpid, kill_process, pidfd_open, pidfd_send_signal};

use crate::config::SignalName;

/// How much of the file is read, in bytes. The id is on the first line; PostgreSQL has more below it.
const HEAD: u64 = 256;

/// Why nobody was signalled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PidFileError {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is no regular file")]
    Kind,
    #[error("it is empty")]
    Empty,
    #[error("`{}` on its first line is no process id", .0.escape_debug())]
    NotAnId(String),
    #[error("it names this helper itself")]
    Ourselves,
    #[error("there is no process {0}: the program has ended, or its file is old")]
    Gone(i32),
    #[error("process {0} may not be signalled: run the helper as the same user, or with CAP_KILL")]
    NotPermitted(i32),
    #[error("it changes while it is read")]
    Changing,
    #[error("process {0} cannot be signalled")]
    Signal(i32, #[source] io::Error),
}

/// Reads the file and signals. The process is pinned before the file is read again: so the id cannot go over to another
/// process between the look and the signal. That an old file names a process that has nothing to do with it, nobody can
/// tell.
pub(super) fn send(file: &Path, signal: SignalName) -> Result<(), PidFileError> {
    let pid = read(file)?;
    let id = pid.as_raw_nonzero().get();
    let failed = |errno| match errno {
        Errno::SRCH => PidFileError::Gone(id),
        Errno::PERM => PidFileError::NotPermitted(id),
        errno => PidFileError::Signal(id, errno.into()),
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pinned) => {
            if read(file)? != pid {
                return Err(PidFileError::Changing);
            }
            pidfd_send_signal(pinned, signal.0).map_err(failed)
        }
        // Before Linux 5.3, or where a filter of system calls forbids it.
        Err(Errno::NOSYS | Errno::PERM) => kill_process(pid, signal.0).map_err(failed),
        Err(errno) => Err(failed(errno)),
    }
}

/// Zero and below would be groups of processes. The first process is allowed: in a container it is the program itself,
/// and the kernel keeps signals from it that it does not handle.
fn read(file: &Path) -> Result<Pid, PidFileError> {
    let mut options = OpenOptions::new();
    // A pipe would hold us up.
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let opened = options.open(file).map_err(PidFileError::Read)?;
    if !opened.metadata().map_err(PidFileError::Read)?.is_file() {
        return Err(PidFileError::Kind);
    }
    let mut head = Vec::new();
    opened.take(HEAD).read_to_end(&mut head).map_err(PidFileError::Read)?;
    let head = String::from_utf8_lossy(&head);
    let Some(line) = head.trim_start().lines().next().map(str::trim) else { return Err(PidFileError::Empty) };
    let digits = line.bytes().all(|byte| byte.is_ascii_digit());
    let pid = line.parse().ok().filter(|_| digits).and_then(Pid::from_raw);
    match pid {
        Some(pid) if pid == getpid() => Err(PidFileError::Ourselves),
        Some(pid) => Ok(pid),
        None => Err(PidFileError::NotAnId(line.chars().take(40).collect())),
    }
}
