//! What a proxy counts and measures, by ghostunnel's names.

mod export;
#[cfg(test)]
mod tests;
mod timer;

use std::sync::atomic::{AtomicU64, Ordering};

use finial_daemon::Clock;

use self::timer::Timer;

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
            handshakes: Timer::new(clock),
            lifetimes: Timer::new(clock),
        }
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
        if failure == Failure::Slow {
            self.slow.add();
        }
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

    fn counts(&self) -> [(&'static str, &Count); 6] {
        [
            ("accept.error", &self.failed),
            ("accept.success", &self.succeeded),
            ("accept.timeout", &self.slow),
            ("accept.total", &self.accepted),
            ("conn.open", &self.open),
            ("conn.timeout", &self.timed_out),
        ]
    }

    fn timers(&self) -> [(&'static str, &Timer); 2] {
        [("conn.handshake", &self.handshakes), ("conn.lifetime", &self.lifetimes)]
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
