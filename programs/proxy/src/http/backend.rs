//! The backend as one caller reaches it: over connections that carry no other caller's requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use super::BackendHttp;
use super::answer::Refusal;
use super::body::CallerBody;
use super::crew::Foreman;
use crate::lines::Chain;
use crate::plain::Plain;
use crate::proxy::Proxy;
use crate::targets::Lease;

/// Connections of HTTP/1.1 that are kept for later requests of the same caller.
const KEPT: usize = 8;

type One = http1::SendRequest<CallerBody>;
type Two = http2::SendRequest<CallerBody>;

#[derive(Debug)]
pub(super) struct Backend {
    proxy: Arc<Proxy>,
    http: BackendHttp,
    /// Comes before the first request of each connection.
    header: Option<Vec<u8>>,
    foreman: Foreman,
    ones: Mutex<Vec<One>>,
    two: Mutex<Option<Two>>,
    /// Whoever holds it dials for all: one connection of HTTP/2 carries all requests.
    turn: Semaphore,
}

impl Backend {
    pub(super) fn new(
        proxy: &Arc<Proxy>,
        http: BackendHttp,
        header: Option<Vec<u8>>,
        foreman: Foreman,
    ) -> Self {
        Self {
            proxy: Arc::clone(proxy),
            http,
            header,
            foreman,
            ones: Mutex::default(),
            two: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// A request that was not yet on its way when a kept connection turned out to be closed goes over a new one; one
    /// that may have reached the backend is not repeated (RFC 9110, section 9.2.2).
    pub(super) async fn ask(&self, request: Request<CallerBody>) -> Result<Response<Incoming>, Refusal> {
        let asked = match self.http {
            BackendHttp::One => self.ask_one(request).await?,
            BackendHttp::Two => self.ask_two(request).await?,
        };
        asked.map_err(|error| {
            tracing::debug!("a request was not answered: {}", Chain(&error));
            // The one part of a request that is a user's of hyper is its body.
            if error.is_user() { Refusal::BrokenBody } else { Refusal::NoAnswer }
        })
    }

    async fn ask_one(
        &self,
        request: Request<CallerBody>,
    ) -> Result<hyper::Result<Response<Incoming>>, Refusal> {
        let mut request = request;
        if let Some(mut sender) = self.kept_one() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(Ok(self.keep(sender, response))),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Ok(Err(error.into_error())),
                },
            }
        }
        let mut sender = self.dial_one().await?;
        Ok(sender.send_request(request).await.map(|response| self.keep(sender, response)))
    }

    async fn ask_two(
        &self,
        request: Request<CallerBody>,
    ) -> Result<hyper::Result<Response<Incoming>>, Refusal> {
        let mut error = match self.shared_two().await?.try_send_request(request).await {
            Ok(response) => return Ok(Ok(response)),
            Err(error) => error,
        };
        match error.take_message() {
            Some(unsent) => Ok(self.shared_two().await?.send_request(unsent).await),
            None => Ok(Err(error.into_error())),
        }
    }

    /// One on which nothing is under way.
    fn kept_one(&self) -> Option<One> {
        let mut ones = self.ones();
        ones.retain(|sender| !sender.is_closed());
        let ready = ones.iter().position(One::is_ready)?;
        Some(ones.swap_remove(ready))
    }

    /// It becomes ready again when the answer has been read to its end.
    fn keep(&self, sender: One, response: Response<Incoming>) -> Response<Incoming> {
        let mut ones = self.ones();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS && ones.len() < KEPT {
            ones.push(sender);
        }
        response
    }

    async fn dial_one(&self) -> Result<One, Refusal> {
        let (stream, lease) = self.dial().await?;
        let handshake = http1::handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|error| unanswered(&error))?;
        let connection = connection.with_upgrades();
        self.foreman.execute(async move {
            told(connection.await);
            drop(lease);
        });
        Ok(sender)
    }

    async fn shared_two(&self) -> Result<Two, Refusal> {
        // Never closed.
        let _turn = self.turn.acquire().await;
        if let Some(live) = self.live_two() {
            return Ok(live);
        }
        let (stream, lease) = self.dial().await?;
        let (sender, connection) = http2::Builder::new(self.foreman.clone())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unanswered(&error))?;
        self.foreman.execute(async move {
            told(connection.await);
            drop(lease);
        });
        *self.two() = Some(sender.clone());
        Ok(sender)
    }

    fn live_two(&self) -> Option<Two> {
        self.two().as_ref().filter(|sender| !sender.is_closed()).cloned()
    }

    async fn dial(&self) -> Result<(Plain, Lease), Refusal> {
        self.proxy.dial_backend(self.header.as_deref()).await.map_err(|error| {
            self.proxy.undialled(&error);
            Refusal::Unreachable
        })
    }

    fn ones(&self) -> MutexGuard<'_, Vec<One>> {
        self.ones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn two(&self) -> MutexGuard<'_, Option<Two>> {
        self.two.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unanswered(error: &hyper::Error) -> Refusal {
    tracing::debug!("the backend does not speak HTTP: {}", Chain(error));
    Refusal::NoAnswer
}

/// Whoever waits for an answer is told by its own error.
fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("a connection to the backend ended: {}", Chain(&error));
    }
}
