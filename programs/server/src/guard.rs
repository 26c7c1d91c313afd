//! The one door to all services: each call is authorized before its request is read.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use finial_attest::Caller;
use finial_authorize::{Authorizer, Denial, Permit};
use finial_identity::{Node, SpiffeId};
use finial_store::StoreError;
use finial_wire::server::Arrivals;
use finial_wire::{AgentDenial, MAX_ARRIVAL};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::audit::Trail;
use crate::core::{ATTEMPTS, Core};
use crate::listener::Origin;
use crate::status;

/// Most bytes at a time of requests of which a part is there.
const MAX_ARRIVING_BYTES: usize = 128 * 1024 * 1024;

/// Puts the door in front of services.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer {
    gate: Arc<Gate>,
}

impl GuardLayer {
    pub(crate) fn new(core: Arc<Core>, authorizer: Authorizer) -> Self {
        Self { gate: Arc::new(Gate { core, authorizer, arrivals: Arrivals::new(MAX_ARRIVING_BYTES) }) }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { gate: Arc::clone(&self.gate), inner }
    }
}

/// Services behind the door: each request that reaches them carries the [`Permit`] of its call.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        // The clone that stays behind has not been polled; the one that was ready serves this call.
        let unready = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, unready);
        let origin = request.extensions().get::<Origin>().cloned();
        let method = request.uri().path().to_owned();
        Box::pin(async move {
            match gate.admit(origin.as_ref(), &method).await {
                Ok(permit) => {
                    if let Some(trail) = request.extensions().get::<Arc<Trail>>() {
                        trail.allowed(&permit);
                    }
                    request.extensions_mut().insert(permit);
                    inner.call(request.map(|body| gate.follow(body))).await
                }
                Err(refusal) => Ok(refusal.into_http()),
            }
        })
    }
}

/// Decides about calls, and records that an agent has begun to use its renewed SVID.
#[derive(Debug)]
struct Gate {
    core: Arc<Core>,
    authorizer: Authorizer,
    arrivals: Arrivals,
}

impl Gate {
    /// The body of a request, of which each message must arrive in time.
    fn follow(&self, body: Body) -> Body {
        let clock = self.core.clock.clone();
        self.arrivals.follow(body, move || {
            let clock = clock.clone();
            async move { clock.sleep(MAX_ARRIVAL).await }
        })
    }

    async fn admit(&self, origin: Option<&Origin>, method: &str) -> Result<Permit, Status> {
        let caller = origin.ok_or_else(status::no_permit)?.caller();
        let permit = self.permit(caller, method).await.inspect_err(|refusal| {
            let spiffe_id = caller.spiffe_id().map(SpiffeId::as_str);
            tracing::debug!(method, spiffe_id, code = ?refusal.code(), "a call was refused");
        })?;
        if permit.presents_new_serial() { self.promote(caller, method, permit).await } else { Ok(permit) }
    }

    /// From memory; an agent that is not known there is looked up at the primary before it is refused.
    async fn permit(&self, caller: &Caller, method: &str) -> Result<Permit, Status> {
        let snapshot = self.core.index.snapshot();
        match self.authorizer.authorize(caller, method, &snapshot, self.core.clock.now()) {
            Err(denial) if denial.needs_confirmation() => self.confirmed(caller, method, denial).await,
            decided => decided.map_err(|denial| status::denial(&denial)),
        }
    }

    async fn confirmed(&self, caller: &Caller, method: &str, denial: Denial) -> Result<Permit, Status> {
        let Some(id) = caller.spiffe_id() else { return Err(status::denial(&denial)) };
        match self.core.node(id).await.map_err(status::store)? {
            Some(node) => self.permit_with(caller, method, node),
            None => Err(status::denial(&denial)),
        }
    }

    fn permit_with(&self, caller: &Caller, method: &str, node: Node) -> Result<Permit, Status> {
        let snapshot = self.core.index.snapshot();
        let now = self.core.clock.now();
        let decided = self.authorizer.authorize_with_node(caller, method, &snapshot, &Arc::new(node), now);
        decided.map_err(|denial| status::denial(&denial))
    }

    /// The renewed SVID becomes the current one with its first use, and the one before it is worth nothing from then
    /// on. A step of its own: the call may fail, and the agent has shown the new SVID all the same.
    async fn promote(&self, caller: &Caller, method: &str, mut permit: Permit) -> Result<Permit, Status> {
        for _ in 0..ATTEMPTS {
            let Some(seen) = permit.node().filter(|_| permit.presents_new_serial()) else {
                return Ok(permit);
            };
            let node = promoted(seen);
            let current = match self.core.store.update_node(seen, node.clone()).await {
                Ok(revision) => {
                    self.core.visible(revision).await?;
                    Some(node)
                }
                Err(StoreError::Conflict { .. }) => self.core.node(&seen.id).await.map_err(status::store)?,
                Err(StoreError::NotFound { .. }) => None,
                Err(error) => return Err(status::store(error)),
            };
            let current = current.ok_or_else(|| status::overtaken(AgentDenial::NotAttested))?;
            permit = self.permit_with(caller, method, current)?;
        }
        Err(status::contended())
    }
}

/// The node with its renewed SVID as the current one.
fn promoted(node: &Node) -> Node {
    let mut node = node.clone();
    if let Some(serial_number) = node.new_serial_number.take() {
        node.serial_number = serial_number;
    }
    if let Some(expires_at) = node.new_expires_at.take() {
        node.expires_at = expires_at;
    }
    node
}
