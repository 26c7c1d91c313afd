//! What a proxy counts and measures, by ghostunnel's names.

mod export;
mod snapshot;
#[cfg(test)]
mod tests;
mod timer;

use std::sync::atomic::{AtomicU64, Ordering};

use finial_daemon::Clock;

pub(crate) use self::export::{Exporter, flat};
use self::snapshot::{Kind, Single, Spans};
use self::timer::Timer;

/// From a resumed neighbour to a peer that is far and slow, in seconds.
const HANDSHAKES: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From one request to a connection that stays, in seconds.
const LIFETIMES: &[f64] = &[0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0];

/// Shared by all connections. Counting takes no lock; measuring a span takes one for as long as it is noted.
#[derive(Debug)]
pub(crate) struct Metrics {
    prefix: String,
    /// Connections that are being served.
    open: Count,
    /// Connections that were cut because a limit of time ran out.
    timed_out: Count,
    accepted: Count,
    succeeded: Count,
    failed: Count,
    slow: Count,
    rejected: Count,
    distrusted: Count,
    handshakes: Timer,
    lifetimes: Timer,
}

#[derive(Debug, Default)]
struct Count(AtomicU64);

/// A connection that is being served, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection<'a>(&'a Metrics);

/// Why a connection did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took too long.
    Slow,
    /// The peer was verified, and is not permitted.
    Rejected,
    /// Anything else.
    Refused,
}

impl Metrics {
    /// `prefix` stands before every name.
    pub(crate) fn new(prefix: String, clock: &Clock) -> Self {
        Self {
            prefix,
            open: Count::default(),
            timed_out: Count::default(),
            accepted: Count::default(),
            succeeded: Count::default(),
            failed: Count::default(),
            slow: Count::default(),
            rejected: Count::default(),
            distrusted: Count::default(),
            handshakes: Timer::new(clock, HANDSHAKES),
            lifetimes: Timer::new(clock, LIFETIMES),
        }
    }

    /// Stands before every name.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A caller has connected.
    pub(crate) fn accept(&self) -> OpenConnection<'_> {
        self.accepted.add();
        self.open.add();
        OpenConnection(self)
    }

    /// Both sides of a connection have come about.
    pub(crate) fn succeed(&self) {
        self.succeeded.add();
    }

    /// A connection has not come about.
    pub(crate) fn fail(&self, failure: Failure) {
        self.failed.add();
        match failure {
            Failure::Slow => self.slow.add(),
            Failure::Rejected => self.rejected.add(),
            Failure::Refused => {}
        }
    }

    /// A connection was cut since the trust that it rested on has ended.
    pub(crate) fn distrust(&self) {
        self.distrusted.add();
    }

    /// A connection outstayed its time.
    pub(crate) fn time_out(&self) {
        self.timed_out.add();
    }

    /// How long the handshake on the secured side takes.
    pub(crate) fn handshakes(&self) -> &Timer {
        &self.handshakes
    }

    /// How long connections are open.
    pub(crate) fn lifetimes(&self) -> &Timer {
        &self.lifetimes
    }

    fn singles(&self) -> Vec<Single> {
        let tell = |(name, help, count): (&'static str, &'static str, &Count)| Single {
            name,
            help,
            kind: Kind::of(name),
            value: count.value() as f64,
        };
        [
            ("accept.error", "Connections that did not come about.", &self.failed),
            ("accept.success", "Connections of which both sides came about.", &self.succeeded),
            ("accept.timeout", "Connections that took too long to come about.", &self.slow),
            ("accept.total", "Callers that have connected.", &self.accepted),
            ("conn.open", "Connections that are being served.", &self.open),
            ("conn.timeout", "Connections that were cut when their time ran out.", &self.timed_out),
            ("peer.rejected.total", "Peers that were verified and are not permitted.", &self.rejected),
            (
                "trust.ended.total",
                "Connections that were cut when trust in their peer ended.",
                &self.distrusted,
            ),
        ]
        .into_iter()
        .map(tell)
        .collect()
    }

    fn spans(&self) -> Vec<Spans> {
        let tell = |name, seconds, help, timer: &Timer| Spans { name, seconds, help, spread: timer.spread() };
        let (handshakes, lifetimes) = (&self.handshakes, &self.lifetimes);
        vec![
            tell("conn.handshake", "conn.handshake.seconds", "Handshakes on the side of TLS.", handshakes),
            tell("conn.lifetime", "conn.lifetime.seconds", "Connections from handshake to end.", lifetimes),
        ]
    }
}

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.0.fetch_sub(1, Ordering::Relaxed);
    }
}
