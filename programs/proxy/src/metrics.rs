//! What a proxy counts and measures, by ghostunnel's names.

mod export;
#[cfg(test)]
mod tests;
mod timer;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use finial_daemon::Clock;

use self::timer::Timer;
use crate::identities::Identities;

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
    /// Whose files may be refused when they are read again.
    identities: OnceLock<Identities>,
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
            identities: OnceLock::new(),
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

    /// The refusals of these identities count from now on.
    pub(crate) fn follow(&self, identities: &Identities) {
        let _ = self.identities.set(identities.clone());
    }

    /// The last is ours.
    fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("accept.error", self.failed.value()),
            ("accept.success", self.succeeded.value()),
            ("accept.timeout", self.slow.value()),
            ("accept.total", self.accepted.value()),
            ("conn.open", self.open.value()),
            ("conn.timeout", self.timed_out.value()),
            ("reload.refused", self.identities.get().map_or(0, Identities::refused)),
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
