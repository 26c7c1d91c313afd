//! `GET /_status`: whether this proxy can serve, as JSON with ghostunnel's keys.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use finial_daemon::{Clock, Drain};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::plain::Plain;
use crate::proxy::{Chain, Proxy};

/// Requests at once; further ones wait.
pub(crate) const CONNECTIONS: usize = 32;
/// For one request and its answer.
const LIMIT: Duration = Duration::from_secs(30);

/// What the status tells about.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) proxy: Arc<Proxy>,
    /// Where callers connect.
    pub(crate) listen_address: String,
    /// Requested when the proxy no longer accepts.
    pub(crate) stopping: Drain,
    pub(crate) hostname: String,
    pub(crate) clock: Clock,
}

impl Status {
    /// Answers the one request of a connection.
    pub(crate) async fn serve(&self, stream: Plain) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(request).await));
        let connection =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        match self.clock.timeout(LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a request for the status failed: {}", Chain(&error)),
            Err(elapsed) => tracing::debug!("a request for the status was cut: {elapsed}"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        if request.uri().path() != "/_status" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        } else if request.method() != Method::GET && request.method() != Method::HEAD {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        } else {
            let (ok, report) = self.report().await;
            let code = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            *response.status_mut() = code;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
            *response.body_mut() = Full::from(report.to_string());
        }
        response
    }

    /// Whether all is well, and the whole answer. Each call reaches for the target.
    async fn report(&self) -> (bool, Value) {
        let backend = self.proxy.check_target().await;
        let identity = self.proxy.check_identity();
        let stopping = self.stopping.is_requested();
        let ok = backend.is_ok() && identity.is_ok() && !stopping;
        let word = |ok| if ok { "ok" } else { "critical" };
        let mut report = Map::new();
        let mut tell = |key: &str, value: Value| report.insert(key.to_owned(), value);
        tell("ok", json!(ok));
        tell("status", json!(word(ok)));
        tell("listen_address", json!(self.listen_address));
        tell("forward_address", json!(self.proxy.target().to_string()));
        tell("backend_ok", json!(backend.is_ok()));
        tell("backend_status", json!(word(backend.is_ok())));
        if let Err(error) = &backend {
            tell("backend_error", json!(Chain(error).to_string()));
        }
        tell("identity_ok", json!(identity.is_ok()));
        if let Err(error) = &identity {
            tell("identity_error", json!(error.to_string()));
        }
        tell("time", json!(Timestamp::try_from(self.clock.now()).unwrap_or_default().to_string()));
        tell("hostname", json!(self.hostname));
        tell("message", json!(if stopping { "stopping" } else { "listening" }));
        tell("revision", json!(env!("CARGO_PKG_VERSION")));
        (ok, Value::Object(report))
    }
}
