//! The metrics as JSON and as Prometheus reads them, with ghostunnel's names.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::Metrics;

impl Metrics {
    /// A list of `{timestamp, metric, value, hostname}`, the timestamp in seconds since 1970.
    pub(crate) fn to_json(&self, hostname: &str, now: SystemTime) -> Value {
        let timestamp = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut list = Vec::new();
        let mut tell = |metric: String, value: Value| {
            let metric = format!("{}.{metric}", self.prefix);
            list.push(
                json!({"timestamp": timestamp, "metric": metric, "value": value, "hostname": hostname}),
            );
        };
        for (name, count) in self.counts() {
            tell(name.to_owned(), json!(count));
        }
        for (name, timer) in self.timers() {
            let spread = timer.spread();
            tell(format!("{name}.count"), json!(spread.count));
            tell(format!("{name}.min"), json!(spread.min as u64));
            tell(format!("{name}.max"), json!(spread.max as u64));
            tell(format!("{name}.mean"), json!(spread.mean));
            for (share, label) in [(0.5, "50"), (0.75, "75"), (0.95, "95"), (0.99, "99")] {
                tell(format!("{name}.{label}-percentile"), json!(spread.percentile(share)));
            }
        }
        Value::Array(list)
    }

    /// The text format 0.0.4.
    pub(crate) fn to_prometheus(&self) -> String {
        let mut text = String::new();
        let prefix = flat(&self.prefix);
        let mut tell = |name: &str, value: f64| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# TYPE {prefix}_{name} gauge\n{prefix}_{name} {value}");
        };
        for (name, count) in self.counts() {
            tell(&flat(name), count as f64);
        }
        for (name, timer) in self.timers() {
            let (name, spread) = (flat(name), timer.spread());
            for (minutes, rate) in [1, 5, 15].into_iter().zip(spread.rates) {
                tell(&format!("{name}_rate{minutes}"), rate);
            }
            tell(&format!("{name}_rate_mean"), spread.mean_rate);
            tell(&format!("{name}_count"), spread.count as f64);
            tell(&format!("{name}_sum"), spread.sum);
            tell(&format!("{name}_max"), spread.max);
            tell(&format!("{name}_min"), spread.min);
            tell(&format!("{name}_mean"), spread.mean);
            tell(&format!("{name}_variance"), spread.variance);
            tell(&format!("{name}_std_dev"), spread.variance.sqrt());
        }
        text
    }
}

/// Prometheus allows letters, digits and underscores.
fn flat(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
