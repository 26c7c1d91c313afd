//! The kernel's word about who opened the other end of a Unix socket.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};

/// The process, user and group that connected a Unix socket, as the kernel noted them then (`SO_PEERCRED`).
///
/// The process id is a number that may have passed to another process since: for logs only. To learn anything about
/// the process, pin it with [`PinnedProcess`](crate::PinnedProcess).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    pid: i32,
    uid: u32,
    gid: u32,
}

impl PeerCredentials {
    /// Asks the kernel about the peer of a connected Unix socket.
    ///
    /// # Errors
    /// When `socket` is not a connected Unix socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let ucred = getsockopt(socket, sockopt::PeerCredentials)?;
        Ok(Self { pid: ucred.pid(), uid: ucred.uid(), gid: ucred.gid() })
    }

    /// What is known of a process that was named rather than connected.
    pub(crate) fn new(pid: i32, uid: u32, gid: u32) -> Self {
        Self { pid, uid, gid }
    }

    /// The process id, in the PID namespace of this program; 0 when it has none there.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The effective user id at the time of `connect`.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The effective group id at the time of `connect`.
    pub fn gid(&self) -> u32 {
        self.gid
    }
}
