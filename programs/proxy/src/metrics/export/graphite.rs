//! The metrics as Graphite's plaintext protocol has them: `path value timestamp`, with the paths of ghostunnel's.

use std::fmt::Write as _;

use crate::metrics::snapshot::{Kind, Snapshot};

/// Told under this name, and what share of the sample lies below.
const PERCENTILES: [(&str, f64); 5] = [("50", 0.5), ("75", 0.75), ("95", 0.95), ("99", 0.99), ("999", 0.999)];

/// Spans are nanoseconds.
pub(super) fn lines(prefix: &str, timestamp: u64, snapshot: &Snapshot) -> String {
    let mut text = String::new();
    // Blanks part the words of a line.
    let prefix = prefix.replace(char::is_whitespace, "_");
    let mut tell = |path: String, value: &dyn std::fmt::Display| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{prefix}.{path} {value} {timestamp}");
    };
    for single in &snapshot.singles {
        // To ghostunnel all that it counts is a count, also what goes down again.
        let counted = single.kind == Kind::Counter || single.is_ancestral();
        let suffix = if counted { "count" } else { "value" };
        tell(format!("{}.{suffix}", single.name), &single.value);
    }
    for timer in &snapshot.timers {
        let (name, spread) = (timer.name, &timer.spread);
        tell(format!("{name}.count"), &spread.count);
        tell(format!("{name}.count_ps"), &format_args!("{:.2}", spread.count as f64));
        tell(format!("{name}.min"), &spread.min);
        tell(format!("{name}.max"), &spread.max);
        tell(format!("{name}.mean"), &format_args!("{:.2}", spread.mean));
        tell(format!("{name}.std-dev"), &format_args!("{:.2}", spread.variance.sqrt()));
        for (label, share) in PERCENTILES {
            tell(format!("{name}.{label}-percentile"), &format_args!("{:.2}", spread.percentile(share)));
        }
        for (label, rate) in ["one", "five", "fifteen"].into_iter().zip(spread.rates) {
            tell(format!("{name}.{label}-minute"), &format_args!("{rate:.2}"));
        }
        tell(format!("{name}.mean-rate"), &format_args!("{:.2}", spread.mean_rate));
    }
    text
}
