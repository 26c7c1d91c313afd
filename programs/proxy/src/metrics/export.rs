//! The metrics as JSON, as Graphite's lines and as Prometheus reads them, with ghostunnel's names.

mod graphite;
mod prometheus;

use std::sync::Arc;
use std::time::SystemTime;

use finial_daemon::Clock;
use finial_daemon::metrics::Process;
use serde_json::{Value, json};

pub(crate) use self::prometheus::flat;
use super::Metrics;
use super::snapshot::{Kind, Single, Snapshot};
use crate::identities::Identities;

/// Tells the metrics of a process to whoever asks. Clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    metrics: Arc<Metrics>,
    identities: Identities,
    hostname: Arc<str>,
    clock: Clock,
    began: SystemTime,
}

impl Exporter {
    pub(crate) fn new(metrics: Arc<Metrics>, identities: Identities) -> Self {
        let clock = identities.clock().clone();
        let hostname = rustix::system::uname().nodename().to_string_lossy().into();
        Self { metrics, identities, hostname, began: clock.now(), clock }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Stands before every name.
    pub(crate) fn prefix(&self) -> &str {
        self.metrics.prefix()
    }

    pub(crate) fn hostname(&self) -> &str {
        &self.hostname
    }

    /// A list of `{timestamp, metric, value, hostname}`, the timestamp in seconds since 1970.
    pub(crate) fn json(&self) -> String {
        let timestamp = self.timestamp();
        let mut list = Vec::new();
        let mut tell = |metric: String, value: Value| {
            let metric = format!("{}.{metric}", self.metrics.prefix);
            let hostname = &*self.hostname;
            list.push(
                json!({"timestamp": timestamp, "metric": metric, "value": value, "hostname": hostname}),
            );
        };
        let Snapshot { singles, timers, .. } = self.snapshot();
        for single in singles {
            tell(single.name.to_owned(), number(single.value));
        }
        for timer in timers {
            let (name, spread) = (timer.name, timer.spread);
            tell(format!("{name}.count"), json!(spread.count));
            tell(format!("{name}.min"), number(spread.min));
            tell(format!("{name}.max"), number(spread.max));
            tell(format!("{name}.mean"), json!(spread.mean));
            for (share, label) in [(0.5, "50"), (0.75, "75"), (0.95, "95"), (0.99, "99")] {
                tell(format!("{name}.{label}-percentile"), json!(spread.percentile(share)));
            }
        }
        Value::Array(list).to_string()
    }

    /// Lines of Graphite's plaintext protocol.
    pub(crate) fn graphite(&self) -> String {
        graphite::lines(&self.metrics.prefix, self.timestamp(), &self.snapshot())
    }

    /// The text format 0.0.4 of Prometheus.
    pub(crate) fn prometheus(&self) -> String {
        let snapshot = Snapshot { process: Some(Process::now()), ..self.snapshot() };
        prometheus::text(&self.metrics.prefix, self.began, &snapshot)
    }

    fn timestamp(&self) -> u64 {
        seconds(self.clock.now())
    }

    fn snapshot(&self) -> Snapshot {
        let mut singles = self.metrics.singles();
        let mut tell = |name, help, value| singles.push(Single { name, help, kind: Kind::of(name), value });
        let refused = self.identities.refused() as f64;
        tell("reload.refused", "Generations of certificates that were refused.", refused);
        if let Some(at) = self.identities.first_expiry() {
            let left = match at.duration_since(self.clock.now()) {
                Ok(left) => left.as_secs_f64(),
                Err(past) => -past.duration().as_secs_f64(),
            };
            tell(
                "certificate.expires-in.seconds",
                "Until our own certificate expires; negative after it.",
                left,
            );
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = runtime.metrics().num_alive_tasks() as f64;
            tell("runtime.tasks", "Tasks that run or wait, such as connections.", tasks);
        }
        Snapshot { singles, timers: self.metrics.spans(), process: None }
    }
}

fn seconds(instant: SystemTime) -> u64 {
    instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whole, if it is.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}
