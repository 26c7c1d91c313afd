//! Requests to the sockets while they arrive: in front of all services, as a layer.

use std::task::{Context, Poll};

use finial_daemon::Clock;
use finial_wire::MAX_ARRIVAL;
use finial_wire::server::Arrivals;
use http::Request;
use tonic::body::Body;
use tonic::transport::server::Router;
use tower::layer::util::{Identity, Stack};
use tower::{Layer, Service};

use crate::watch::Watch;

/// Most bytes at a time of requests of which a part is there, of each socket.
const MAX_ARRIVING_BYTES: usize = 32 * 1024 * 1024;

/// What a socket serves.
pub(crate) type SocketRouter = Router<Stack<ArrivalLayer, Stack<Watch, Identity>>>;

/// Limits the requests to one socket.
#[derive(Clone, Debug)]
pub(crate) struct ArrivalLayer {
    arrivals: Arrivals,
    clock: Clock,
}

impl ArrivalLayer {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { arrivals: Arrivals::new(MAX_ARRIVING_BYTES), clock: clock.clone() }
    }
}

impl<S> Layer<S> for ArrivalLayer {
    type Service = Punctual<S>;

    fn layer(&self, inner: S) -> Punctual<S> {
        Punctual { limits: self.clone(), inner }
    }
}

/// Services whose requests arrive in time.
#[derive(Clone, Debug)]
pub(crate) struct Punctual<S> {
    limits: ArrivalLayer,
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Punctual<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let clock = self.limits.clock.clone();
        let patience = move || {
            let clock = clock.clone();
            async move { clock.sleep(MAX_ARRIVAL).await }
        };
        self.inner.call(request.map(|body| self.limits.arrivals.follow(body, patience)))
    }
}
