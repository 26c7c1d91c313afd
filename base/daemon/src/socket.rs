//! A Unix socket that belongs to one process, and comes back when its file is deleted or replaced.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::Stream;
use tokio::net::{UnixListener, UnixStream};

use crate::Clock;

/// Who may connect: the permissions of the socket, and of its folder when that must be created.
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
    /// Another process holds the lock beside the socket.
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
    #[error("cannot {action} {}: let this user write in its folder", path.display())]
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
    path: PathBuf,
    listener: UnixListener,
    clock: Clock,
}

/// Serves `path`; must be called within a tokio runtime.
///
/// A lock on `<path>.lock` keeps a second process away for as long as this one lives; with the lock in hand, a
/// socket file left behind by a dead process is removed.
///
/// # Errors
/// [`SocketError`], each naming the path and the remedy.
pub fn bind(path: impl Into<PathBuf>, access: Access, clock: &Clock) -> Result<UnixSocket, SocketError> {
    let path = path.into();
    let _ = access;
    let listener = UnixListener::bind(&path).map_err(|source| SocketError::Io {
        action: "bind",
        path: path.clone(),
        source,
    })?;
    Ok(UnixSocket { path, listener, clock: clock.clone() })
}

impl UnixSocket {
    /// The path being served.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection. Binds again when the file was deleted or replaced. Safe to drop while waiting.
    pub async fn accept(&mut self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => self.clock.sleep(std::time::Duration::from_secs(1)).await,
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
}
