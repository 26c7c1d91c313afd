//! An open connection through the proxy: bytes both ways until both ends are done, or the trust has gone.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, go};
use finial_tls::Fallen;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Holds two full TLS records. One buffer for each direction of each connection.
const BUFFER: usize = 32 * 1024;

/// Why a connection was cut before both of its ends were done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("error during copy")]
    Copy(#[from] io::Error),
    #[error("one end was done and the other not within {}", go::format_duration(*.0))]
    HalfOpen(Duration),
    #[error("it was open for {}, which is the limit", go::format_duration(*.0))]
    Outlived(Duration),
    #[error("no request came within {}", go::format_duration(*.0))]
    Silent(Duration),
    #[error("the trust it rests on has gone")]
    Fallen(#[from] Fallen),
    #[error("the new configuration does not permit it")]
    Revoked,
}

impl Cut {
    /// An end that went away: for the proxy an end like any other, though the other end must not mistake it.
    pub(crate) fn is_departure(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        matches!(self, Self::Copy(error) if matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof))
    }
}

/// What passed through a connection.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Bytes from the caller to the target.
    forwarded: AtomicU64,
    /// Bytes from the target to the caller.
    returned: AtomicU64,
}

impl Traffic {
    /// So many bytes of the caller's have been taken.
    pub(crate) fn forward(&self, count: usize) {
        self.forwarded.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// So many bytes have been given to the caller.
    pub(crate) fn give_back(&self, count: usize) {
        self.returned.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    pub(crate) fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }
}

/// Copies both ways. The end of one direction is passed on (over TLS as close_notify) and leaves the other open for
/// at most `close_timeout`. Ends also when the ground of the connection is `lost`.
pub(crate) async fn relay<A, B>(
    caller: &mut A,
    target: &mut B,
    lost: impl Future<Output = Cut>,
    traffic: &Traffic,
    (clock, close_timeout): (&Clock, Duration),
) -> Result<(), Cut>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (caller_reader, caller_writer) = tokio::io::split(caller);
    let (target_reader, target_writer) = tokio::io::split(target);
    let mut forward = pin!(pump(caller_reader, target_writer, &traffic.forwarded));
    let mut back = pin!(pump(target_reader, caller_writer, &traffic.returned));
    let copy = async {
        tokio::select! {
            ended = &mut forward => {
                ended?;
                within(clock, close_timeout, back).await
            }
            ended = &mut back => {
                ended?;
                within(clock, close_timeout, forward).await
            }
        }
    };
    tokio::select! {
        ended = copy => ended,
        cut = lost => Err(cut),
    }
}

async fn within(
    clock: &Clock,
    limit: Duration,
    rest: impl Future<Output = io::Result<()>>,
) -> Result<(), Cut> {
    clock.timeout(limit, rest).await.map_err(|_| Cut::HalfOpen(limit))?.map_err(Cut::Copy)
}

async fn pump<R, W>(mut from: R, mut to: W, moved: &AtomicU64) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        to.write_all(bytes).await?;
        // TLS may hold records back that the socket would not take at once.
        to.flush().await?;
        moved.fetch_add(count as u64, Ordering::Relaxed);
    }
    // An end that has gone already cannot be told; the other direction finds out whether that was in order.
    let _ = to.shutdown().await;
    Ok(())
}

/// A number of bytes as people read it: `17 bytes`, `1.2 KiB`.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} bytes", self.0);
        }
        let mut size = self.0 as f64 / 1024.0;
        let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        for larger in units {
            if size < 1024.0 {
                break;
            }
            (size, unit) = (size / 1024.0, larger);
        }
        write!(f, "{size:.1} {unit}")
    }
}
