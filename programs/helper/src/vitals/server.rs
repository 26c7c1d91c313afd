//! Health and metrics for whoever asks by HTTP: the ancestor's two paths, and `/metrics`.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use finial_daemon::doorstep::{Doorstep, Origin};
use finial_daemon::{Backoff, Clock, Tasks};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::{Vitals, metrics, report};
use crate::config::HealthConfig;

/// Callers at once; the next one gets the place of one that takes long.
const CALLERS: usize = 32;
/// For one request and its answer, as the ancestor has it.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(1);

pub(crate) const METRICS: &str = "/metrics";

/// A bound port, on which nobody is answered yet.
#[derive(Debug)]
pub(crate) struct HealthListener {
    listener: TcpListener,
    config: HealthConfig,
}

struct Answerer {
    vitals: Vitals,
    config: HealthConfig,
    clock: Clock,
}

impl HealthListener {
    /// Without an address on all of them: those of IPv6 take IPv4 with them, where the system has IPv6.
    pub(crate) async fn bind(config: HealthConfig) -> io::Result<Self> {
        let port = config.bind_port;
        let listener = match config.bind_address {
            Some(address) => TcpListener::bind((address, port)).await?,
            None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?
                }
                bound => bound?,
            },
        };
        Ok(Self { listener, config })
    }

    /// Where callers connect; `None` when the system does not know any more.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers whoever connects, until `tasks` are asked to end.
    pub(crate) fn serve(self, vitals: &Vitals, clock: &Clock, tasks: &Tasks) {
        let answerer = Answerer { vitals: vitals.clone(), config: self.config, clock: clock.clone() };
        let (drain, sessions) = (tasks.drain(), tasks.clone());
        tasks.spawn("health", async move {
            tokio::select! {
                () = drain.requested() => {}
                () = accept(self.listener, Arc::new(answerer), sessions) => {}
            }
        });
    }
}

/// Never resolves. It waits for room before accept, so that what exceeds it waits in the kernel's backlog.
async fn accept(listener: TcpListener, answerer: Arc<Answerer>, tasks: Tasks) {
    let doorstep = Arc::new(Doorstep::new(CALLERS, &answerer.clock));
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    loop {
        doorstep.has_room().await;
        match listener.accept().await {
            Ok((stream, caller)) => {
                backoff.reset();
                let mut spot = doorstep.enter(Origin::of(caller.ip()));
                let answerer = Arc::clone(&answerer);
                tasks.spawn_session("health", async move {
                    tokio::select! {
                        () = answerer.serve(stream) => {}
                        () = spot.lost() => tracing::debug!(%caller, "a request for health gave way to the next"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a request for health cannot be accepted");
                answerer.clock.sleep(backoff.next()).await;
            }
        }
    }
}

impl Answerer {
    /// Answers the one request of a connection.
    async fn serve(&self, stream: TcpStream) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(&request)));
        let mut server = http1::Builder::new();
        let connection =
            server.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
        match self.clock.timeout(LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a request for health failed"),
            Err(elapsed) => tracing::debug!("a request for health was cut: {elapsed}"),
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let is_live = path == self.config.liveness_path;
        if !is_live && path != self.config.readiness_path && path != METRICS {
            return response(StatusCode::NOT_FOUND, TEXT, String::new());
        }
        let state = self.vitals.state.borrow();
        if path == METRICS {
            return response(StatusCode::OK, PROMETHEUS, metrics::text(&state, self.clock.now()));
        }
        let well = if is_live { state.is_live() } else { state.is_ready() };
        let code = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        response(code, JSON, report::body(&state, well).to_string())
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn response(code: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
