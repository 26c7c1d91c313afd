//! Sees every call of workloads and delegates: counts and measures it by SPIRE's names.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::Clock;
use finial_daemon::metrics::{CallStatus, Calls, Counter, Metrics};
use finial_wire::server::{CallWatcher, Watched, WatchedCall, metric_key, watched};
use http::Request;
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

/// Each API of the agent, by SPIRE's name for it, with the service and its methods on the wire.
const APIS: &[(&str, &str, &[&str])] = &[
    (
        "workload_api",
        "/SpiffeWorkloadAPI/",
        &["FetchX509SVID", "FetchX509Bundles", "FetchJWTSVID", "FetchJWTBundles", "ValidateJWTSVID"],
    ),
    (
        "sds_api",
        "/envoy.service.secret.v3.SecretDiscoveryService/",
        &["StreamSecrets", "DeltaSecrets", "FetchSecrets"],
    ),
    (
        "delegated_identity_api",
        "/spire.api.agent.delegatedidentity.v1.DelegatedIdentity/",
        &["SubscribeToX509SVIDs", "SubscribeToX509Bundles", "FetchJWTSVIDs", "SubscribeToJWTBundles"],
    ),
    ("debug_api", "/spire.agent.debug.v1.Debug/", &["GetInfo"]),
];

/// Watches the calls of both sockets. Clones share what they count.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    calls: Arc<HashMap<String, (Calls, Api)>>,
    clock: Clock,
}

/// What is counted of one API.
#[derive(Clone, Debug)]
struct Api {
    begun: Counter,
    open: Arc<AtomicU64>,
}

/// A call that goes on.
#[derive(Debug)]
pub(crate) struct OpenCall {
    counted: Option<(Calls, Api)>,
    began: Duration,
    clock: Clock,
}

impl Watch {
    /// Counts each method that there is among `metrics`. What nobody serves is not counted: strangers choose its name.
    pub(crate) fn new(metrics: &Metrics, clock: &Clock) -> Self {
        let mut calls = HashMap::new();
        for (name, service, methods) in APIS {
            let api = Api::new(metrics, name);
            for method in *methods {
                let path = format!("{service}{method}");
                let counted = metrics.calls(metric_key(&path), "Calls of a method.");
                calls.insert(path, (counted, api.clone()));
            }
        }
        Self { calls: Arc::new(calls), clock: clock.clone() }
    }
}

impl Api {
    fn new(metrics: &Metrics, name: &str) -> Self {
        let open = Arc::<AtomicU64>::default();
        let begun = metrics.counter(format!("{name}.connection"), "Calls that have begun.");
        let now = Arc::clone(&open);
        let value = move || Some(now.load(Ordering::Relaxed) as f64);
        metrics.gauge(
            format!("{name}.connections"),
            "Calls that go on, streams for as long as they last.",
            &[],
            value,
        );
        Self { begun, open }
    }
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S, Self>;

    fn layer(&self, inner: S) -> Watched<S, Self> {
        watched(inner, self.clone())
    }
}

impl CallWatcher for Watch {
    type Call = OpenCall;

    fn begin(&self, request: &mut Request<Body>) -> OpenCall {
        let counted = self.calls.get(request.uri().path()).cloned();
        if let Some((_, api)) = &counted {
            api.begun.add();
            api.open.fetch_add(1, Ordering::Relaxed);
        }
        OpenCall { counted, began: self.clock.monotonic(), clock: self.clock.clone() }
    }
}

impl WatchedCall for OpenCall {
    fn end(self, status: &Status) {
        if let Some((calls, api)) = &self.counted {
            api.open.fetch_sub(1, Ordering::Relaxed);
            let span = self.clock.monotonic().saturating_sub(self.began);
            calls.note(CallStatus::from_code(status.code().into()), span);
        }
    }
}
