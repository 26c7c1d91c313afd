//! An open connection through the proxy: bytes both ways until both ends are done, or the trust has gone.

mod end;
mod name;
mod pool;
mod pump;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use finial_daemon::{Clock, go};
use finial_tls::Fallen;
use tokio::io::AsyncRead;

pub(crate) use self::end::End;
pub(crate) use self::name::{Name, Secured};
pub(crate) use self::pool::{Buffer, Pool};
use self::pump::Pump;

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
/// at most `close_timeout`. So does an end that takes no more: what it has said before still arrives. Ends also when
/// the ground of the connection is `lost`.
pub(crate) async fn relay<A, B>(
    caller: &mut A,
    target: &mut B,
    lost: impl Future<Output = Cut>,
    traffic: &Traffic,
    pool: &Pool,
    (clock, close_timeout): (&Clock, Duration),
) -> Result<(), Cut>
where
    A: AsyncRead + End,
    B: AsyncRead + End,
{
    let (forward, back) = (Pump::new(pool, &traffic.forwarded), Pump::new(pool, &traffic.returned));
    let mut exchange = Exchange { caller, target, forward, back };
    let copy = async {
        let first = |forward: &Pump<'_>, back: &Pump<'_>| forward.is_over() || back.is_over();
        poll_fn(|context| exchange.poll(context, first)).await?;
        let both = |forward: &Pump<'_>, back: &Pump<'_>| forward.is_done() && back.is_done();
        let rest = poll_fn(|context| exchange.poll(context, both));
        clock.timeout(close_timeout, rest).await.map_err(|_| Cut::HalfOpen(close_timeout))?.map_err(Cut::Copy)
    };
    tokio::select! {
        biased;
        ended = copy => ended,
        cut = lost => Err(cut),
    }
}

/// Both directions between two ends. They take turns on one task, so that neither end needs a lock.
struct Exchange<'a, A, B> {
    caller: &'a mut A,
    target: &'a mut B,
    forward: Pump<'a>,
    back: Pump<'a>,
}

impl<A, B> Exchange<'_, A, B>
where
    A: AsyncRead + End,
    B: AsyncRead + End,
{
    /// Moves what can be moved, until the directions have come far `enough`.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        enough: impl Fn(&Pump<'_>, &Pump<'_>) -> bool,
    ) -> Poll<io::Result<()>> {
        let _ = self.forward.poll(self.caller, self.target, context)?;
        let _ = self.back.poll(self.target, self.caller, context)?;
        if enough(&self.forward, &self.back) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
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
