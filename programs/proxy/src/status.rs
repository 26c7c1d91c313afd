//! The status server: whether this proxy can serve, and what it has counted, by ghostunnel's paths and keys.

mod listener;
mod targets;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use finial_daemon::{Clock, Drain, Readiness, Tasks};
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use crate::accept::{self, Listener};
use crate::admission::{Admission, Pass};
use crate::gate::Gate;
use crate::lines::Chain;
use crate::metrics::Exporter;
use crate::plain::Plain;
use crate::reload::Reloads;
use crate::side::Front;

/// Requests at once; the next one gets the place of one that takes long.
pub(crate) const CONNECTIONS: usize = 32;
/// For one request and its answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;

/// What the status tells about.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) gates: watch::Receiver<Vec<Arc<Gate>>>,
    pub(crate) exporter: Exporter,
    /// Where the configuration is a file.
    pub(crate) reloads: Option<Arc<Reloads>>,
    /// Whether it is served by HTTPS, with what the first listener of that time presents.
    pub(crate) secured: bool,
    /// Pending until callers are accepted.
    pub(crate) readiness: Readiness,
    /// Requested when the proxy no longer accepts.
    pub(crate) stopping: Drain,
    /// Whoever asks for profiles is told how to have them.
    pub(crate) pprof: bool,
    /// Told when somebody asks for the end; nobody may without it.
    pub(crate) shutdown: Option<Arc<Notify>>,
    pub(crate) clock: Clock,
    /// When the proxy began, in the place of a reload.
    pub(crate) began: SystemTime,
}

/// Answers whoever connects, until `tasks` are asked to end.
pub(crate) fn start(listener: Listener, status: Status, tasks: &Tasks) {
    let status = Arc::new(status);
    let admission = Admission::brief(CONNECTIONS, &status.clock);
    let answer = move |stream, mut pass: Pass| {
        let status = Arc::clone(&status);
        async move {
            tokio::select! {
                () = status.serve(stream) => {}
                () = pass.lost() => tracing::debug!("a request for the status gave way to the next"),
            }
        }
    };
    let serving = accept::serve(listener, admission, tasks.clone(), "status", answer);
    tasks.spawn("status", serving);
}

/// Performs handshakes as the first listener that presents something; `None` when none does.
pub(crate) fn front(gates: &watch::Receiver<Vec<Arc<Gate>>>) -> Option<Front> {
    gates.borrow().iter().find_map(|gate| gate.proxy().status_front())
}

impl Status {
    /// Answers the one request of a connection.
    pub(crate) async fn serve(&self, stream: Plain) {
        if !self.secured {
            return self.serve_http(stream).await;
        }
        let Some(front) = front(&self.gates) else {
            return tracing::debug!("a request for the status failed: no listener presents a certificate");
        };
        match front.accept(stream).await {
            Ok(met) => self.serve_http(met.stream).await,
            Err(error) => tracing::debug!("a request for the status failed: {}", Chain(&error)),
        }
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(request).await));
        let mut builder = http1::Builder::new();
        let connection =
            builder.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
        match self.clock.timeout(LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a request for the status failed: {}", Chain(&error)),
            Err(elapsed) => tracing::debug!("a request for the status was cut: {elapsed}"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let prometheus = request
            .uri()
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "format=prometheus"));
        match (request.uri().path(), request.method()) {
            ("/_shutdown", method) if let Some(shutdown) = &self.shutdown => match *method {
                Method::POST => {
                    tracing::info!("shutdown was requested via status endpoint");
                    shutdown.notify_one();
                    Response::new(Full::default())
                }
                _ => not_allowed("POST"),
            },
            ("/_status" | "/_metrics" | "/_metrics/json" | "/_metrics/prometheus", method)
                if method != Method::GET && method != Method::HEAD =>
            {
                not_allowed("GET, HEAD")
            }
            ("/_status", _) => {
                let (ok, report) = self.report().await;
                let code = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                answer(code, JSON, report.to_string())
            }
            ("/_metrics", _) if prometheus => self.prometheus(),
            ("/_metrics/prometheus", _) => self.prometheus(),
            ("/_metrics" | "/_metrics/json", _) => answer(StatusCode::OK, JSON, self.exporter.json()),
            (path, _) if self.pprof && is_pprof(path) => {
                answer(StatusCode::NOT_IMPLEMENTED, TEXT, NO_PPROF.to_owned())
            }
            _ => answer(StatusCode::NOT_FOUND, TEXT, String::new()),
        }
    }

    fn prometheus(&self) -> Response<Full<Bytes>> {
        let gates = self.gates.borrow().clone();
        let (mut text, prefix) = (self.exporter.prometheus(), self.exporter.prefix());
        targets::write(&gates, prefix, &mut text);
        if let Some(reloads) = &self.reloads {
            reloads.write(prefix, &mut text);
        }
        answer(StatusCode::OK, TEXT, text)
    }

    /// Whether all is well, and the whole answer. Each call reaches for the targets.
    async fn report(&self) -> (bool, Value) {
        let gates = self.gates.borrow().clone();
        let reports = join_all(gates.iter().map(|gate| listener::report(gate))).await;
        let message = self.message(&gates);
        let serves = matches!(message, LISTENING | RELOADING);
        let ok = serves && reports.iter().all(|report| report.ok);
        let mut told = Map::new();
        told.insert("ok".to_owned(), json!(ok));
        told.insert("status".to_owned(), json!(word(ok)));
        listener::tell(reports, &mut told);
        if let Some(reloads) = &self.reloads {
            let counts = json!({"applied": reloads.applied(), "refused": reloads.refused()});
            told.insert("configuration_reloads".to_owned(), counts);
        }
        let read_at = gates.iter().filter_map(|gate| gate.proxy().identity().read_at()).max();
        let mut tell = |key: &str, value: Value| told.insert(key.to_owned(), value);
        tell("time", json!(rfc3339(self.clock.now())));
        tell("last_reload", json!(rfc3339(read_at.unwrap_or(self.began))));
        tell("hostname", json!(self.exporter.hostname()));
        tell("message", json!(message));
        tell("revision", json!(env!("CARGO_PKG_VERSION")));
        tell("compiler", json!(env!("COMPILER")));
        (ok, Value::Object(told))
    }

    /// In which part of its life the process is.
    fn message(&self, gates: &[Arc<Gate>]) -> &'static str {
        if self.stopping.is_requested() {
            STOPPING
        } else if !self.readiness.pending().is_empty() {
            INITIALIZING
        } else if gates.iter().any(|gate| gate.proxy().identity().is_reading()) {
            RELOADING
        } else {
            LISTENING
        }
    }
}

const INITIALIZING: &str = "initializing";
const LISTENING: &str = "listening";
const RELOADING: &str = "reloading";
const STOPPING: &str = "stopping";

fn word(ok: bool) -> &'static str {
    if ok { "ok" } else { "critical" }
}

fn is_pprof(path: &str) -> bool {
    path.strip_prefix("/debug/pprof").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

const NO_PPROF: &str =
    "there is no profiler inside: use `perf record -g -p PID`, whose files pprof reads too\n";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn answer(code: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, String::new());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn rfc3339(instant: SystemTime) -> String {
    Timestamp::try_from(instant).unwrap_or_default().to_string()
}
