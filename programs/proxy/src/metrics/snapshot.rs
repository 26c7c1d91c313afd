//! All metrics at one moment, each with its name and what it means.

use finial_daemon::metrics::Process;

use super::timer::Spread;

/// What is told, whatever the format.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) singles: Vec<Single>,
    pub(super) timers: Vec<Spans>,
    /// Of the whole process, by the names that Prometheus has for it; told to Prometheus only.
    pub(super) process: Option<Process>,
}

/// One number. Its name has dots; formats without dots replace them.
#[derive(Debug)]
pub(super) struct Single {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) value: f64,
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// The spans that one timer has noted.
#[derive(Debug)]
pub(super) struct Spans {
    /// The ancestor's name.
    pub(super) name: &'static str,
    /// Our name, in seconds.
    pub(super) seconds: &'static str,
    pub(super) help: &'static str,
    pub(super) spread: Spread,
}

impl Single {
    /// Whether it is ghostunnel's too.
    pub(super) fn is_ancestral(&self) -> bool {
        self.name.starts_with("accept.") || self.name.starts_with("conn.")
    }
}

impl Kind {
    /// By the rule of Prometheus for names.
    pub(super) fn of(name: &str) -> Self {
        if name.ends_with("total") { Self::Counter } else { Self::Gauge }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}
