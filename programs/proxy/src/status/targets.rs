//! What is told of each target.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::metrics;
use crate::proxy::Proxy;
use crate::targets::Target;

/// A name, its type, and the number of a target.
type Metric = (&'static str, &'static str, fn(&Proxy, &Target) -> u64);

const METRICS: [Metric; 4] = [
    ("open", "gauge", |_, target| u64::try_from(target.open()).unwrap_or(u64::MAX)),
    ("healthy", "gauge", |proxy, target| u64::from(is_healthy(proxy, target))),
    ("dials_total", "counter", |_, target| target.dials()),
    ("failures_total", "counter", |_, target| target.failures()),
];

pub(super) fn report(proxy: &Proxy) -> Value {
    let target = |target: &Arc<Target>| {
        json!({
            "address": target.address().to_string(),
            "healthy": is_healthy(proxy, target),
            "open": target.open(),
            "dials": target.dials(),
            "failures": target.failures(),
        })
    };
    proxy.targets().iter().map(target).collect()
}

/// As Prometheus reads it; nothing of one proxy with one target, which ghostunnel's names tell of.
pub(super) fn write(gates: &[Arc<Gate>], prefix: &str, text: &mut String) {
    let proxies = gates.iter().map(|gate| gate.proxy());
    let told = proxies.filter(|proxy| proxy.targets().are_several() || !proxy.name().is_empty());
    let told = told.collect::<Vec<_>>();
    if told.is_empty() {
        return;
    }
    let prefix = metrics::flat(prefix);
    for (name, kind, value) in METRICS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE {prefix}_target_{name} {kind}");
        for proxy in &told {
            for target in proxy.targets().iter() {
                let (listener, address) = (escaped(proxy.name()), escaped(&target.address().to_string()));
                let value = value(proxy, target);
                let _ = writeln!(
                    text,
                    "{prefix}_target_{name}{{listener=\"{listener}\",target=\"{address}\"}} {value}"
                );
            }
        }
    }
}

fn is_healthy(proxy: &Proxy, target: &Target) -> bool {
    target.is_healthy(proxy.clock().monotonic())
}

/// As a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
