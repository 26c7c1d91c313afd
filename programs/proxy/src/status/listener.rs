//! What the status tells of each listener.

use serde_json::{Map, Value, json};

use super::{targets, word};
use crate::gate::Gate;
use crate::lines::Chain;

/// Of one listener.
pub(super) struct Report {
    pub(super) ok: bool,
    backend_ok: bool,
    identity_ok: bool,
    name: String,
    keys: Map<String, Value>,
}

/// Reaches for the target as for a caller.
pub(super) async fn report(gate: &Gate) -> Report {
    let proxy = gate.proxy();
    let (backend, identity) = (proxy.check_target().await, proxy.check_identity());
    let mut keys = Map::new();
    let mut tell = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    tell("listen_address", json!(gate.listen_address()));
    tell("forward_address", json!(proxy.targets().to_string()));
    if proxy.targets().are_several() || !proxy.name().is_empty() {
        tell("targets", targets::report(&proxy));
    }
    tell("backend_ok", json!(backend.is_ok()));
    tell("backend_status", json!(word(backend.is_ok())));
    if let Err(error) = &backend {
        tell("backend_error", json!(Chain(error).to_string()));
    }
    tell("identity_ok", json!(identity.is_ok()));
    if let Err(error) = &identity {
        tell("identity_error", json!(error.to_string()));
    }
    let (backend_ok, identity_ok) = (backend.is_ok(), identity.is_ok());
    Report { ok: backend_ok && identity_ok, backend_ok, identity_ok, name: proxy.name().to_owned(), keys }
}

/// One listener of flags stands where ghostunnel tells it; those of a file are a list below a summary.
pub(super) fn tell(mut reports: Vec<Report>, told: &mut Map<String, Value>) {
    if let [report] = reports.as_mut_slice()
        && report.name.is_empty()
    {
        told.append(&mut report.keys);
        return;
    }
    let backends_ok = reports.iter().all(|report| report.backend_ok);
    told.insert("backend_ok".to_owned(), json!(backends_ok));
    told.insert("backend_status".to_owned(), json!(word(backends_ok)));
    told.insert("identity_ok".to_owned(), json!(reports.iter().all(|report| report.identity_ok)));
    let listeners = reports.into_iter().map(|Report { ok, name, mut keys, .. }| {
        keys.insert("name".to_owned(), json!(name));
        keys.insert("ok".to_owned(), json!(ok));
        Value::Object(keys)
    });
    told.insert("listeners".to_owned(), listeners.collect());
}
