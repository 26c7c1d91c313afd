//! A Unix socket that belongs to one process, and comes back when its file is deleted or replaced.

mod claim;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::Stream;
use rustix::io::Errno;
use tokio::net::{UnixListener, UnixStream};

use crate::{Backoff, Clock};
use claim::Claim;

/// How often the file is looked at: a deleted socket is back within this time.
const CHECK_EVERY: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(10);

/// Who may connect: the permissions of the socket, and of folders created for it. The umask does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permissions of the socket file, such as `0o777`.
    pub socket: u32,
    /// Permissions of folders created for it, such as `0o755`.
    pub folder: u32,
}

impl Access {
    /// Every process of this machine, as for the Workload API.
    pub const EVERYONE: Self = Self { socket: 0o777, folder: 0o755 };
    /// Processes of this user and group, as for the administration of a server.
    pub const OWNER_AND_GROUP: Self = Self { socket: 0o770, folder: 0o750 };
}

/// Why a socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process holds the lock beside the socket, or answers on it.
    #[error("another process serves {}: stop it, or choose another path", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket stands at the path.
    #[error("{} exists and is no socket: move it away, or choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The path exceeds what the operating system can bind.
    #[error("the path {} is too long for a socket: use at most {max} bytes", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        max: usize,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: let this user write in its folder, or choose another path", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A Unix socket being served. Dropping it removes the file, if it still is this socket's own.
#[derive(Debug)]
pub struct UnixSocket {
    claim: Claim,
    listener: UnixListener,
    inode: Inode,
    clock: Clock,
    next_check: Duration,
    backoff: Backoff,
    trouble: Trouble,
}

/// A file, whatever it is called.
type Inode = (u64, u64);

/// What has been logged, so that it is logged once.
#[derive(Debug, Default)]
struct Trouble {
    accepting: bool,
    binding: bool,
}

/// Serves `path`; must be called within a tokio runtime.
///
/// A lock on `<path>.lock` keeps a second process away for as long as this one lives. With the lock in hand, a
/// socket file on which nobody answers is removed as the remains of a process that died.
///
/// # Errors
/// [`SocketError`], each naming the path and the remedy.
pub fn bind(path: impl Into<PathBuf>, access: Access, clock: &Clock) -> Result<UnixSocket, SocketError> {
    let claim = Claim::new(path.into(), access)?;
    let (listener, inode) = claim.bind()?;
    Ok(UnixSocket {
        claim,
        listener,
        inode,
        clock: clock.clone(),
        next_check: clock.monotonic() + CHECK_EVERY,
        backoff: Backoff::new(FIRST_RETRY, CHECK_EVERY),
        trouble: Trouble::default(),
    })
}

impl UnixSocket {
    /// The path being served.
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// The next connection; waits as long as there is none. Whatever goes wrong is logged once and tried again: the
    /// file is looked at every second, and bound anew when it is gone or another's. May be dropped while waiting.
    pub async fn accept(&mut self) -> UnixStream {
        loop {
            let until_check = self.next_check.saturating_sub(self.clock.monotonic());
            tokio::select! {
                biased;
                () = self.clock.sleep(until_check) => self.check(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        self.accepting_works();
                        return stream;
                    }
                    Err(error) => self.accepting_fails(&error).await,
                },
            }
        }
    }

    /// The connections as an endless stream that never fails, as gRPC servers take them.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<UnixStream>> + Send + 'static {
        futures_util::stream::unfold(self, async |mut socket| {
            let stream = socket.accept().await;
            Some((Ok(stream), socket))
        })
    }

    fn accepting_works(&mut self) {
        if self.trouble.accepting {
            self.trouble.accepting = false;
            self.backoff.reset();
            tracing::info!(socket = %self.path().display(), "connections are accepted again");
        }
    }

    async fn accepting_fails(&mut self, error: &io::Error) {
        if !self.trouble.accepting {
            self.trouble.accepting = true;
            tracing::error!(socket = %self.path().display(), %error, "cannot accept connections, trying on");
        }
        self.clock.sleep(self.backoff.next()).await;
        if !passes_by_itself(error) {
            self.rebind();
        }
    }

    fn check(&mut self) {
        self.next_check = self.clock.monotonic() + CHECK_EVERY;
        if inode(self.path()) != Some(self.inode) {
            self.rebind();
        }
    }

    /// Connections already accepted go on. The claim is renewed first, in case the lock was deleted too.
    fn rebind(&mut self) {
        match self.claim.renew().and_then(|()| self.claim.bind()) {
            Ok((listener, inode)) => {
                (self.listener, self.inode) = (listener, inode);
                self.trouble.binding = false;
                tracing::warn!(socket = %self.path().display(), "the socket was deleted or replaced, and is back");
            }
            Err(error) if !self.trouble.binding => {
                self.trouble.binding = true;
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(error, "the socket was deleted or replaced and cannot be bound, trying on");
            }
            Err(_) => {}
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if inode(self.claim.path()) == Some(self.inode) {
            // Nobody is left to tell; the next start removes what remains.
            let _ = fs::remove_file(self.claim.path());
        }
    }
}

/// Whether an error of accept concerns the moment or the connection, not the listener.
fn passes_by_itself(error: &io::Error) -> bool {
    let passing = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::AGAIN,
    ];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}

/// The file at a path, a link not followed; `None` when there is none.
fn inode(path: &Path) -> Option<Inode> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
