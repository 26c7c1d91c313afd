//! How each call ends, for whoever counts or records calls: gRPC says so in the last thing that it sends.

#[cfg(test)]
mod tests;

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Status};

/// Sees every call begin.
pub trait CallWatcher: Clone + Send + Sync + 'static {
    /// What it keeps of a call while that goes on.
    type Call: WatchedCall;

    /// A call begins. What is put into its extensions, the layers behind and the service find there.
    fn begin(&self, request: &mut Request<Body>) -> Self::Call;
}

/// Sees one call end.
pub trait WatchedCall: Send + 'static {
    /// The call has ended so; [`Code::Cancelled`] when whoever asked went away.
    fn end(self, status: &Status);
}

/// Services whose calls are watched.
#[derive(Clone, Debug)]
pub struct Watched<S, W> {
    inner: S,
    watcher: W,
}

/// Lets `watcher` see the calls of a service.
pub fn watched<S, W: CallWatcher>(inner: S, watcher: W) -> Watched<S, W> {
    Watched { inner, watcher }
}

impl<S, W> Service<Request<Body>> for Watched<S, W>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
    W: CallWatcher,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut pending = Pending(Some(self.watcher.begin(&mut request)));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // An answer without messages says in its headers how it ended.
            if let Some(status) = Status::from_header_map(response.headers()) {
                pending.end(&status);
                return Ok(response);
            }
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    if let Some(trailers) = frame.trailers_ref() {
                        let status = Status::from_header_map(trailers);
                        pending.end(&status.unwrap_or_else(|| Status::unknown("no status")));
                    }
                    frame
                }))
            }))
        })
    }
}

/// A call that has not ended yet. One that is dropped was given up by whoever asked.
struct Pending<C: WatchedCall>(Option<C>);

impl<C: WatchedCall> Pending<C> {
    fn end(&mut self, status: &Status) {
        if let Some(call) = mem::take(&mut self.0) {
            call.end(status);
        }
    }
}

impl<C: WatchedCall> Drop for Pending<C> {
    fn drop(&mut self) {
        self.end(&Status::new(Code::Cancelled, "the caller went away"));
    }
}
