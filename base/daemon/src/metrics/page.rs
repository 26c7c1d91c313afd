//! The text format 0.0.4 of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::filter::Filter;
use super::series::Spread;
use super::{Family, Process, Series};

/// The shares that SPIRE tells of a summary.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// What is told, by name. Series that differ in nothing but labels that are left out become one.
#[derive(Debug, Default)]
pub(super) struct Page {
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    help: String,
    kind: &'static str,
    rows: BTreeMap<String, Row>,
}

#[derive(Debug)]
enum Row {
    Number(f64),
    Spread(Spread),
}

type Label = (&'static str, String);

impl Page {
    pub(super) fn add(&mut self, name: &str, family: &Family, labels: &[&Label], filter: &Filter) {
        match &family.series {
            Series::Counter(counter) => {
                let kind = if name.ends_with("_total") { "counter" } else { COUNTER_BY_ANOTHER_NAME };
                let row = Row::Number(counter.value() as f64);
                self.told(name, family.help, kind).add(text_of(labels), row);
            }
            Series::Gauge(value) => {
                if let Some(value) = value() {
                    let told = self.told(name, family.help, "gauge");
                    told.rows.insert(text_of(labels), Row::Number(value));
                }
            }
            Series::Sample(sample) => {
                let row = Row::Spread(sample.spread());
                self.told(name, family.help, "summary").add(text_of(labels), row);
            }
            Series::Calls(calls) => {
                for (status, spread) in calls.ended() {
                    let status = ("status", status.to_owned());
                    let mut labels = labels.to_vec();
                    if filter.takes_label(status.0) {
                        labels.push(&status);
                    }
                    let (labels, count) = (text_of(&labels), Row::Number(spread.count as f64));
                    self.told(name, family.help, COUNTER_BY_ANOTHER_NAME).add(labels.clone(), count);
                    let help = format!("{} How long it takes, in ms.", family.help);
                    let spans = self.told(&format!("{name}_elapsed_time"), &help, "summary");
                    spans.add(labels, Row::Spread(spread));
                }
            }
        }
    }

    /// What the kernel knows of the process, by the names of Prometheus's own libraries.
    pub(super) fn add_process(&mut self, process: &Process, began: SystemTime) {
        let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        for (name, help, value) in [
            ("process_cpu_seconds_total", "CPU time spent, user and system.", Some(process.cpu_seconds)),
            ("process_max_fds", "How many descriptors may be open.", process.descriptor_limit),
            ("process_open_fds", "How many descriptors are open.", process.open_descriptors),
            ("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
            ("process_start_time_seconds", "When the process began, since 1970.", Some(began)),
            ("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
        ] {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            if let Some(value) = value {
                self.told(name, help, kind).add(String::new(), Row::Number(value));
            }
        }
    }

    pub(super) fn into_text(self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        for (name, Told { help, kind, rows }) in self.told {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, row) in rows {
                let _ = match row {
                    Row::Number(value) => writeln!(text, "{name}{} {value}", braced(&labels, "")),
                    Row::Spread(spread) => write_spread(&mut text, &name, &labels, &spread),
                };
            }
        }
        text
    }

    fn told(&mut self, name: &str, help: &str, kind: &'static str) -> &mut Told {
        let new = || Told { help: help.to_owned(), kind, rows: BTreeMap::new() };
        self.told.entry(name.to_owned()).or_insert_with(new)
    }
}

/// Prometheus would have a counter end in `_total`, which SPIRE's do not; without a type both are content, and every
/// query works as it does for a counter.
const COUNTER_BY_ANOTHER_NAME: &str = "untyped";

impl Told {
    fn add(&mut self, labels: String, row: Row) {
        match (self.rows.get_mut(&labels), row) {
            (Some(Row::Number(sum)), Row::Number(value)) => *sum += value,
            (Some(Row::Spread(joined)), Row::Spread(spread)) => joined.join(&spread),
            (_, row) => drop(self.rows.insert(labels, row)),
        }
    }
}

fn write_spread(text: &mut String, name: &str, labels: &str, spread: &Spread) -> std::fmt::Result {
    for share in SHARES {
        let labels = braced(labels, &format!("quantile=\"{share}\""));
        writeln!(text, "{name}{labels} {}", spread.quantile(share))?;
    }
    let labels = braced(labels, "");
    writeln!(text, "{name}_sum{labels} {}\n{name}_count{labels} {}", spread.sum, spread.count)
}

fn text_of(labels: &[&Label]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
    labels.collect::<Vec<_>>().join(",")
}

fn braced(labels: &str, more: &str) -> String {
    match (labels, more) {
        ("", "") => String::new(),
        ("", more) => format!("{{{more}}}"),
        (labels, "") => format!("{{{labels}}}"),
        (labels, more) => format!("{{{labels},{more}}}"),
    }
}

/// Prometheus allows letters, digits and underscores, and no digit in front.
pub(super) fn flat(name: &str) -> String {
    let flat: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if flat.starts_with(|c: char| c.is_ascii_digit()) { format!("_{flat}") } else { flat }
}
