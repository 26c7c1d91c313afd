//! Sees every call: counts and measures it by SPIRE's names, and writes the audit log.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use finial_authorize::METHODS;
use finial_daemon::Clock;
use finial_daemon::metrics::{CallStatus, Calls, Metrics};
use finial_wire::server::{CallWatcher, Watched, WatchedCall, metric_key, watched};
use http::Request;
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use crate::audit::{Audit, Trail};
use crate::listener::Origin;

/// Watches the calls of both listeners. Clones share what they count.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// By the path of the request.
    calls: HashMap<&'static str, Calls>,
    audit: Option<Audit>,
    clock: Clock,
}

/// A call that goes on.
#[derive(Debug)]
pub(crate) struct WatchedByName {
    calls: Option<Calls>,
    began: Duration,
    clock: Clock,
    trail: Option<Arc<Trail>>,
}

impl Watch {
    /// Counts each method that there is among `metrics`. What nobody serves is not counted: strangers choose its name.
    pub(crate) fn new(metrics: &Metrics, audit: Option<Audit>, clock: &Clock) -> Self {
        let calls =
            METHODS.iter().map(|row| (row.name, metrics.calls(metric_key(row.name), "Calls of a method.")));
        let shared = Shared { calls: calls.collect(), audit, clock: clock.clone() };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S, Self>;

    fn layer(&self, inner: S) -> Watched<S, Self> {
        watched(inner, self.clone())
    }
}

impl CallWatcher for Watch {
    type Call = WatchedByName;

    fn begin(&self, request: &mut Request<Body>) -> WatchedByName {
        let Shared { calls, audit, clock } = &*self.shared;
        let path = request.uri().path();
        let calls = calls.get(path).cloned();
        let origin = request.extensions().get::<Origin>();
        let trail =
            audit.as_ref().zip(origin).map(|(audit, origin)| Arc::new(audit.trail(path, origin.clone())));
        if let Some(trail) = &trail {
            request.extensions_mut().insert(Arc::clone(trail));
        }
        WatchedByName { calls, began: clock.monotonic(), clock: clock.clone(), trail }
    }
}

impl WatchedCall for WatchedByName {
    fn end(self, status: &Status) {
        if let Some(calls) = &self.calls {
            let span = self.clock.monotonic().saturating_sub(self.began);
            calls.note(CallStatus::from_code(status.code().into()), span);
        }
        if let Some(trail) = &self.trail {
            trail.end(status);
        }
    }
}
