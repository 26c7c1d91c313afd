//! A caller that speaks HTTP: each of its requests reaches the backend with the proxy's word on who asks.
//!
//! What the backend gets is written anew from what was understood, over connections that no other caller uses, so that
//! a request cannot hide in another, and no field of the caller's can pass for one of the proxy's.

mod answer;
mod backend;
mod body;
mod counted;
mod crew;
mod hop;
mod identity;
mod request;
#[cfg(test)]
mod tests;
mod timer;
mod websocket;

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_rustls::server::TlsStream;

use self::answer::{Answer, Refusal, pass_on};
use self::backend::Backend;
use self::counted::Counted;
use self::crew::{Crew, Foreman};
use self::identity::IdentityFields;
use self::request::{Prepared, prepare};
use self::timer::ClockTimer;
use self::websocket::{Switch, Tunnel};
use crate::ahead::ReadAhead;
use crate::gate::Notices;
use crate::pipe::{Cut, Traffic, relay};
use crate::plain::{Plain, Remote};
use crate::proxy::{Ground, Proxy};
use crate::side::Met;

/// The application protocols that are offered to callers, best first.
pub(crate) const ALPN: [&[u8]; 2] = [H2, b"http/1.1"];
const H2: &[u8] = b"h2";

/// Fields in the header of a request.
const MAX_FIELDS: usize = 100;
/// Bytes in the header of a request, its first line included.
const MAX_HEADER: usize = 64 * 1024;
/// Requests of one caller at once, with HTTP/2.
const MAX_STREAMS: u32 = 100;
/// For the header of the next request of a caller with HTTP/1, however slowly it comes.
const HEADER_LIMIT: Duration = Duration::from_secs(60);

/// How the backend is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendHttp {
    /// HTTP/1.1.
    One,
    /// HTTP/2 in the clear, without asking first (RFC 9113, section 3.3).
    Two,
}

impl Proxy {
    /// Serves the requests of a caller to the end of its connection. `header` comes first on each connection to the
    /// backend.
    pub(crate) async fn serve_http(
        self: &Arc<Self>,
        http: BackendHttp,
        caller: Met<TlsStream<ReadAhead<Plain>>>,
        from: Remote,
        header: Option<Vec<u8>>,
        notices: Notices,
    ) {
        let Met { stream, peer, standing } = caller;
        let name = format!("{from} [{peer}] <-> {} [no tls]", self.target_name());
        let traffic = Arc::new(Traffic::default());
        let mut crew = Crew::default();
        let foreman = crew.foreman();
        let requests = Requests(Arc::new(Caller {
            identity: IdentityFields::of(&peer),
            backend: Backend::new(self, http, header, foreman.clone()),
            http,
            switch: Mutex::default(),
        }));
        let ground = Ground { standing, notices: notices.clone() };
        let talk = pin!(async {
            self.converse(*stream, requests.clone(), foreman, &traffic, notices).await?;
            let Some(switch) = requests.0.switch().take() else { return Ok(()) };
            let Some(Tunnel { mut caller, mut backend }) = switch.open().await? else { return Ok(()) };
            backend.abort_on_close();
            let (uncounted, limits) = (Traffic::default(), (self.clock(), self.limits().close_timeout));
            relay(&mut caller, &mut backend, pending(), &uncounted, self.pool(), limits).await?;
            backend.close_in_order();
            Ok(())
        });
        let talk = pin!(async {
            tokio::select! {
                ended = crew.run_beside(talk) => ended,
                lost = self.lost(ground) => Err(lost),
            }
        });
        self.watch(&name, &traffic, talk).await;
    }

    /// Until the caller leaves, or switches to WebSocket.
    async fn converse(
        &self,
        stream: TlsStream<ReadAhead<Plain>>,
        requests: Requests,
        foreman: Foreman,
        traffic: &Arc<Traffic>,
        notices: Notices,
    ) -> Result<(), Cut> {
        let h2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        let stream = TokioIo::new(Counted::new(stream, traffic));
        let ended = if h2 {
            let mut builder = http2::Builder::new(foreman);
            builder.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER as u32);
            let connection = Box::pin(builder.serve_connection(stream, requests));
            until_drained(connection, &notices, http2::Connection::graceful_shutdown).await
        } else {
            let mut builder = http1::Builder::new();
            builder.max_headers(MAX_FIELDS).max_header_size(MAX_HEADER).max_buf_size(MAX_HEADER);
            builder.timer(ClockTimer::new(self.clock())).header_read_timeout(HEADER_LIMIT);
            // Between one end that is done and the other there may be an answer.
            builder.half_close(true);
            let connection = Box::pin(builder.serve_connection(stream, requests).with_upgrades());
            until_drained(connection, &notices, http1::UpgradeableConnection::graceful_shutdown).await
        };
        ended.map_err(cut)
    }
}

/// Runs a connection that is told of the drain, after which it ends when what was begun is done.
async fn until_drained<C: Future>(
    mut connection: Pin<Box<C>>,
    notices: &Notices,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        ended = &mut connection => return ended,
        () = notices.stopping() => shut_down(connection.as_mut()),
    }
    connection.await
}

/// In the words of pipes.
fn cut(error: hyper::Error) -> Cut {
    if error.is_timeout() {
        return Cut::Silent(HEADER_LIMIT);
    }
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let kind = match io {
        Some(cause) => cause.kind(),
        None if error.is_incomplete_message() => io::ErrorKind::UnexpectedEof,
        None => io::ErrorKind::InvalidData,
    };
    Cut::Copy(io::Error::new(kind, error))
}

/// The requests of one caller.
#[derive(Clone, Debug)]
struct Requests(Arc<Caller>);

#[derive(Debug)]
struct Caller {
    identity: IdentityFields,
    backend: Backend,
    http: BackendHttp,
    /// Of the last request that asked for one.
    switch: Mutex<Option<Switch>>,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let caller = Arc::clone(&self.0);
        Box::pin(async move {
            let version = request.version();
            Ok(caller.answer(request).await.unwrap_or_else(|refusal| refusal.answer(version)))
        })
    }
}

impl Caller {
    async fn answer(&self, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        if let Some(switch) = Switch::asked(&mut request) {
            *self.switch() = Some(switch);
        }
        let Prepared { request, websocket } = prepare(request, &self.identity, self.http)?;
        let response = self.backend.ask(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(pass_on(response));
        }
        match &mut *self.switch() {
            Some(switch) if websocket => switch.agree(response),
            _ => Err(Refusal::NoAnswer),
        }
    }

    fn switch(&self) -> MutexGuard<'_, Option<Switch>> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
