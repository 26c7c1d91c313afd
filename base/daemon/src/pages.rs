//! A few pages by HTTP for machines that watch over this one: health, metrics. Callers are bounded, and slow ones cut off.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use crate::doorstep::{Doorstep, Origin};
use crate::{Backoff, Clock, Tasks};

/// Callers at once; the next one gets the place of one that takes long.
const CALLERS: usize = 32;
/// For one request and its answer, a TLS handshake among them.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;
/// The first pause after the operating system could not accept, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// A bound port, on which nobody is answered yet.
#[derive(Debug)]
pub struct Pages {
    listener: TcpListener,
    front: Option<Arc<dyn Front>>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The status of HTTP.
    pub code: u16,
    /// Its content type.
    pub kind: &'static str,
    /// The text.
    pub body: String,
}

/// What a connection becomes before it is read: TLS, say.
#[async_trait]
pub trait Front: Send + Sync + fmt::Debug {
    /// Meets whoever has connected.
    ///
    /// # Errors
    /// When they may not ask, or have nothing to say.
    async fn meet(&self, stream: TcpStream) -> io::Result<Box<dyn Duplex>>;
}

/// A stream both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

type Answer = dyn Fn(&str) -> Page + Send + Sync;

/// What one port needs to answer.
struct Desk {
    name: &'static str,
    front: Option<Arc<dyn Front>>,
    answer: Box<Answer>,
    clock: Clock,
}

impl Page {
    /// The content type of JSON.
    pub const JSON: &'static str = "application/json";
    /// The content type of Prometheus's text format.
    pub const PROMETHEUS: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// There is nothing at this path.
    pub fn not_found() -> Self {
        Self { code: 404, kind: "text/plain; charset=utf-8", body: String::new() }
    }

    /// All is well, and this is it.
    pub fn ok(kind: &'static str, body: String) -> Self {
        Self { code: 200, kind, body }
    }
}

impl Pages {
    /// Binds the first address of several that can be bound.
    ///
    /// # Errors
    /// The operating system's, of the last address.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, front: None })
    }

    /// Lets `front` meet every caller first.
    #[must_use]
    pub fn behind(self, front: Arc<dyn Front>) -> Self {
        Self { front: Some(front), ..self }
    }

    /// Where callers connect; `None` when the system does not know any more.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers whoever connects with the page for the path that they ask for, until `tasks` are asked to end. `name` is for
    /// the log. `answer` must not wait.
    pub fn serve(
        self,
        name: &'static str,
        answer: impl Fn(&str) -> Page + Send + Sync + 'static,
        clock: &Clock,
        tasks: &Tasks,
    ) {
        let desk = Desk { name, front: self.front, answer: Box::new(answer), clock: clock.clone() };
        let (drain, sessions) = (tasks.drain(), tasks.clone());
        tasks.spawn(name, async move {
            tokio::select! {
                () = drain.requested() => {}
                () = accept(self.listener, Arc::new(desk), sessions) => {}
            }
        });
    }
}

/// Never resolves. It waits for room before accept, so that what exceeds it waits in the kernel's backlog.
async fn accept(listener: TcpListener, desk: Arc<Desk>, tasks: Tasks) {
    let doorstep = Arc::new(Doorstep::new(CALLERS, &desk.clock));
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let name = desk.name;
    loop {
        doorstep.has_room().await;
        match listener.accept().await {
            Ok((stream, caller)) => {
                backoff.reset();
                let mut spot = doorstep.enter(Origin::of(caller.ip()));
                let desk = Arc::clone(&desk);
                tasks.spawn_session(name, async move {
                    tokio::select! {
                        () = desk.serve(stream) => {}
                        () = spot.lost() => tracing::debug!(%caller, "a request for {name} gave way to the next"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a request for {name} cannot be accepted");
                desk.clock.sleep(backoff.next()).await;
            }
        }
    }
}

impl Desk {
    /// Answers the one request of a connection.
    async fn serve(&self, stream: TcpStream) {
        let name = self.name;
        match self.clock.timeout(LIMIT, self.exchange(stream)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a request for {name} failed"),
            Err(elapsed) => tracing::debug!("a request for {name} was cut: {elapsed}"),
        }
    }

    async fn exchange(&self, stream: TcpStream) -> io::Result<()> {
        let stream: Box<dyn Duplex> = match &self.front {
            Some(front) => front.meet(stream).await?,
            None => Box::new(stream),
        };
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(&request)));
        let mut server = http1::Builder::new();
        let connection =
            server.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
        connection.await.map_err(io::Error::other)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = Response::new(Full::default());
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let Page { code, kind, body } = (self.answer)(request.uri().path());
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("name", &self.name).field("front", &self.front).finish_non_exhaustive()
    }
}
