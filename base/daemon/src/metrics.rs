//! What a program counts and measures, and the page that Prometheus reads: names and forms as SPIRE's.
//!
//! A part of the program is given handles when it starts ([`Counter`], [`Calls`], [`Sample`]). Noting something takes no
//! lock, does not wait, and needs memory only the first time that a call ends in some way.

mod filter;
mod page;
mod process;
mod series;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use self::filter::Filter;
use self::page::Page;
pub use self::process::Process;
pub use self::series::{CallStatus, Calls, Counter, Sample};
use crate::Clock;
use crate::telemetry::TelemetryConfig;

/// All metrics of one program. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

/// Names and values of labels, the values as they are.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

#[derive(Debug)]
struct Shared {
    prefix: String,
    /// On every line.
    labels: Vec<(&'static str, String)>,
    filter: Filter,
    began: SystemTime,
    families: Mutex<Vec<Family>>,
}

/// Metrics of one name that have one set of labels.
struct Family {
    key: Cow<'static, str>,
    help: &'static str,
    labels: Vec<(&'static str, String)>,
    series: Series,
}

enum Series {
    Counter(Counter),
    Calls(Calls),
    Sample(Sample),
    Gauge(Box<dyn Fn() -> Option<f64> + Send + Sync>),
}

impl Metrics {
    /// No metrics yet. `program` stands before every name, unless the configuration has a prefix; `trust_domain` is told
    /// on every line where the configuration asks for it.
    pub fn new(config: &TelemetryConfig, program: &str, trust_domain: &str, clock: &Clock) -> Self {
        let mut labels = Vec::new();
        if config.hostname_label {
            labels.push(("host", rustix::system::uname().nodename().to_string_lossy().into_owned()));
        }
        if config.trust_domain_label {
            labels.push(("trust_domain", trust_domain.to_owned()));
        }
        let prefix = config.metric_prefix.clone().unwrap_or_else(|| program.to_owned());
        let filter = Filter::new(config);
        labels.retain(|(label, _)| filter.takes_label(label));
        let families = Mutex::default();
        Self { shared: Arc::new(Shared { prefix, labels, filter, began: clock.now(), families }) }
    }

    /// Counts events. The parts of `key` are set apart by dots.
    pub fn counter(&self, key: impl Into<Cow<'static, str>>, help: &'static str) -> Counter {
        self.counter_with(key, help, &[])
    }

    /// Counts events of one kind.
    pub fn counter_with(
        &self,
        key: impl Into<Cow<'static, str>>,
        help: &'static str,
        labels: Labels<'_>,
    ) -> Counter {
        let counter = Counter::default();
        self.add(key.into(), help, labels, Series::Counter(counter.clone()));
        counter
    }

    /// Counts calls by how they end, and measures in milliseconds how long they take (SPIRE's call counter).
    pub fn calls(&self, key: impl Into<Cow<'static, str>>, help: &'static str) -> Calls {
        self.calls_with(key, help, &[])
    }

    /// Counts and measures calls of one kind.
    pub fn calls_with(
        &self,
        key: impl Into<Cow<'static, str>>,
        help: &'static str,
        labels: Labels<'_>,
    ) -> Calls {
        let calls = Calls::default();
        self.add(key.into(), help, labels, Series::Calls(calls.clone()));
        calls
    }

    /// How a size is spread.
    pub fn sample(&self, key: impl Into<Cow<'static, str>>, help: &'static str) -> Sample {
        let sample = Sample::default();
        self.add(key.into(), help, &[], Series::Sample(sample.clone()));
        sample
    }

    /// A number that is looked up whenever somebody reads the page; `None` leaves it out. `value` must not wait.
    pub fn gauge(
        &self,
        key: impl Into<Cow<'static, str>>,
        help: &'static str,
        labels: Labels<'_>,
        value: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.add(key.into(), help, labels, Series::Gauge(Box::new(value)));
    }

    /// Everything at this moment, in Prometheus's text format 0.0.4.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        for family in &*self.families() {
            let labels: Vec<_> = self.shared.labels.iter().chain(&family.labels).collect();
            let name = page::flat(&format!("{}.{}", self.shared.prefix, family.key));
            page.add(&name, family, &labels, &self.shared.filter);
        }
        page.add_process(&Process::now(), self.shared.began);
        page.into_text()
    }

    fn add(&self, key: Cow<'static, str>, help: &'static str, labels: Labels<'_>, series: Series) {
        let shared = &self.shared;
        if !shared.filter.takes(&format!("{}.{key}", shared.prefix)) {
            return; // counted all the same, and told to nobody
        }
        let labels = labels.iter().filter(|(label, _)| shared.filter.takes_label(label));
        let labels = labels.map(|(label, value)| (*label, (*value).to_owned())).collect();
        self.families().push(Family { key, help, labels, series });
    }

    fn families(&self) -> std::sync::MutexGuard<'_, Vec<Family>> {
        self.shared.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Family").field("key", &self.key).field("labels", &self.labels).finish_non_exhaustive()
    }
}
