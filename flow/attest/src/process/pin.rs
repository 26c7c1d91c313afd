//! How the peer of a socket is pinned: by the kernel's own pidfd, or by the next best thing before Linux 6.5.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Once;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::PinnedProcess;
use super::stat::fdinfo_pid;
use crate::{AttestError, Gone, PeerCredentials};

/// What to do on a kernel that cannot give a pidfd for the peer of a socket (`SO_PEERPIDFD`, Linux 6.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerPidfd {
    /// Open a pidfd by process id as soon as the connection is accepted, and warn once. A process that connects and
    /// ends before that moment may be taken for the next one with its process id, if user and group are the same.
    #[default]
    Preferred,
    /// Refuse. The configuration key is `require_peer_pidfd`.
    Required,
}

/// A pidfd of the process that connected `socket`.
pub(super) fn peer(
    socket: &impl AsFd,
    credentials: PeerCredentials,
    pidfd: PeerPidfd,
) -> Result<OwnedFd, AttestError> {
    match getsockopt(socket, sockopt::PeerPidfd) {
        Ok(pinned) => Ok(pinned),
        Err(Errno::ENOPROTOOPT) if pidfd == PeerPidfd::Required => Err(AttestError::NoPeerPidfd),
        Err(Errno::ENOPROTOOPT) => {
            warn_once();
            by_pid(credentials)
        }
        // The peer was reaped before it could be pinned; which of both says so depends on the kernel.
        Err(Errno::ESRCH | Errno::EINVAL) => Err(Gone { pid: credentials.pid() }.into()),
        Err(errno) => Err(AttestError::Peer { source: errno.into() }),
    }
}

/// A pidfd of the process that has the peer's process id now, and still its user and group.
pub(super) fn by_pid(credentials: PeerCredentials) -> Result<OwnedFd, AttestError> {
    let gone = Gone { pid: credentials.pid() };
    let pidfd = named(credentials.pid())?;
    let duplicate = pidfd.try_clone().map_err(|source| AttestError::Peer { source })?;
    let ids = PinnedProcess::open(credentials, duplicate)?.ids()?;
    let same = ids.uid == credentials.uid() && ids.gid == credentials.gid();
    if same { Ok(pidfd) } else { Err(gone.into()) }
}

/// A pidfd of the process that has this id now.
pub(super) fn named(pid: i32) -> Result<OwnedFd, AttestError> {
    let id = Pid::from_raw(pid.max(0)).ok_or(AttestError::Invisible)?;
    pidfd_open(id, PidfdFlags::empty()).map_err(|errno| match errno {
        rustix::io::Errno::SRCH | rustix::io::Errno::INVAL => Gone { pid }.into(),
        errno => AttestError::Peer { source: errno.into() },
    })
}

/// The process id of a pinned process as `/proc` knows it.
///
/// `/proc` may have been mounted in another PID namespace than ours, where the same number is another process. What
/// `/proc` says about the pidfd itself is in its own numbers.
pub(super) fn visible_pid(pidfd: &OwnedFd, connected_as: i32) -> Result<Pid, AttestError> {
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let fdinfo = std::fs::read(path).map_err(|source| AttestError::Peer { source })?;
    match fdinfo_pid(&fdinfo) {
        Some(pid) if pid > 0 => Pid::from_raw(pid).ok_or(AttestError::Invisible),
        Some(0) => Err(AttestError::Invisible),
        Some(_) | None => Err(Gone { pid: connected_as }.into()),
    }
}

fn warn_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "This kernel has no SO_PEERPIDFD (Linux 6.5): callers are pinned only once they are accepted. \
             Set require_peer_pidfd to refuse them instead."
        );
    });
}
