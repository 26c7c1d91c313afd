//! Which metrics and labels are told, by the lists of the configuration.

use crate::telemetry::TelemetryConfig;

/// The lists. Of the prefixes that fit a metric the longest one decides; a metric that none fits is told.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    allowed: Vec<String>,
    blocked: Vec<String>,
    allowed_labels: Vec<String>,
    blocked_labels: Vec<String>,
}

impl Filter {
    pub(super) fn new(config: &TelemetryConfig) -> Self {
        Self {
            allowed: config.allowed_prefixes.clone(),
            blocked: config.blocked_prefixes.clone(),
            allowed_labels: config.allowed_labels.clone(),
            blocked_labels: config.blocked_labels.clone(),
        }
    }

    /// Whether a metric is told; its name with the prefix, and with dots.
    pub(super) fn takes(&self, key: &str) -> bool {
        let longest = |prefixes: &[String]| {
            let fitting = prefixes.iter().filter(|prefix| key.starts_with(prefix.as_str()));
            fitting.map(String::len).max()
        };
        longest(&self.blocked)
            .is_none_or(|blocked| longest(&self.allowed).is_some_and(|allowed| allowed > blocked))
    }

    pub(super) fn takes_label(&self, label: &str) -> bool {
        let is_in = |list: &[String]| list.iter().any(|known| known == label);
        (self.allowed_labels.is_empty() || is_in(&self.allowed_labels)) && !is_in(&self.blocked_labels)
    }
}
