//! The text format 0.0.4 of Prometheus.

use std::fmt::{Display, Write as _};

/// A page of metrics: for each family a head, then its samples.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Begins a family. Without samples it is left out of a page that a linter likes, so ask first.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let _ = writeln!(self.text, "{name}{{{labels}}} {value}");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// As a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
