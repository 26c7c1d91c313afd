//! The metrics in the text format 0.0.4 of Prometheus: the names of ghostunnel's, then our own.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use super::seconds;
use crate::metrics::snapshot::{Snapshot, Spans};

/// The shares that ghostunnel tells as bounds of buckets.
const SHARES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// `began` is when the process did.
pub(super) fn text(prefix: &str, began: SystemTime, snapshot: &Snapshot) -> String {
    let mut page = Page { prefix: flat(prefix), text: String::new() };
    for single in &snapshot.singles {
        let name = page.name(single.name);
        page.tell(&name, single.kind.name(), single.help, single.value);
    }
    for timer in &snapshot.timers {
        ancestral(&mut page, timer);
        histogram(&mut page, timer);
    }
    process(&mut page, began, snapshot);
    page.text
}

struct Page {
    prefix: String,
    text: String,
}

impl Page {
    fn name(&self, name: &str) -> String {
        format!("{}_{}", self.prefix, flat(name))
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: impl Display, value: impl Display) {
        let _ = writeln!(self.text, "{name} {value}");
    }

    fn tell(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.line(name, value);
    }
}

/// A timer as ghostunnel tells it, in nanoseconds. Its buckets hold percentiles, not counts: nothing can be computed
/// from them, but dashboards show them. `_count` and `_sum` without buckets are of no type that Prometheus has.
fn ancestral(page: &mut Page, timer: &Spans) {
    let (name, spread, help) = (page.name(timer.name), &timer.spread, timer.help);
    for (minutes, rate) in [1, 5, 15].into_iter().zip(spread.rates) {
        let help = format!("{help} How many a second, averaged over the last minutes.");
        page.tell(&format!("{name}_rate{minutes}"), "gauge", &help, rate);
    }
    for (suffix, kind, what, value) in [
        ("rate_mean", "gauge", "How many a second since the start.", spread.mean_rate),
        ("count", "untyped", "How many there were.", spread.count as f64),
        ("sum", "untyped", "The sum of all.", spread.sum),
        ("max", "gauge", "The largest of the last.", spread.max),
        ("min", "gauge", "The smallest of the last.", spread.min),
        ("mean", "gauge", "The mean of the last.", spread.mean),
        ("variance", "gauge", "The variance of the last.", spread.variance),
        ("std_dev", "gauge", "The standard deviation of the last.", spread.variance.sqrt()),
    ] {
        page.tell(&format!("{name}_{suffix}"), kind, &format!("{help} {what}"), value);
    }
    let name = format!("{name}_timer");
    page.head(&name, "histogram", &format!("{help} Buckets hold percentiles of the last, not counts."));
    for share in SHARES {
        page.line(format_args!("{name}_bucket{{le=\"{share}\"}}"), spread.percentile(share).floor());
    }
    page.line(format_args!("{name}_bucket{{le=\"+Inf\"}}"), spread.count);
    page.line(format_args!("{name}_sum"), spread.sum);
    page.line(format_args!("{name}_count"), spread.count);
}

/// The same as Prometheus can compute with it, in seconds.
fn histogram(page: &mut Page, timer: &Spans) {
    let (name, spread) = (page.name(timer.seconds), &timer.spread);
    page.head(&name, "histogram", timer.help);
    for (bound, count) in &spread.buckets {
        page.line(format_args!("{name}_bucket{{le=\"{bound}\"}}"), count);
    }
    page.line(format_args!("{name}_bucket{{le=\"+Inf\"}}"), spread.count);
    page.line(format_args!("{name}_sum"), spread.sum / 1e9);
    page.line(format_args!("{name}_count"), spread.count);
}

fn process(page: &mut Page, began: SystemTime, snapshot: &Snapshot) {
    let Some(process) = &snapshot.process else { return };
    for (name, help, value) in [
        ("process_cpu_seconds_total", "CPU time spent, user and system.", Some(process.cpu_seconds)),
        ("process_max_fds", "How many descriptors may be open.", process.descriptor_limit),
        ("process_open_fds", "How many descriptors are open.", process.open_descriptors),
        ("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
        ("process_start_time_seconds", "When the process began, since 1970.", Some(seconds(began) as f64)),
        ("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
    ] {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        if let Some(value) = value {
            page.tell(name, kind, help, value);
        }
    }
}

/// Prometheus allows letters, digits and underscores, and no digit in front.
pub(crate) fn flat(name: &str) -> String {
    let flat: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if flat.starts_with(|c: char| c.is_ascii_digit()) { format!("_{flat}") } else { flat }
}
