//! The kubelet of the node, asked over HTTP: one request, one bounded answer.

mod access;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
mod verifier;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use futures_util::future::join;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use self::access::Access;
use crate::config::{K8sConfig, KubeletPort};
use crate::error::K8sError;
use crate::pods::Pods;

/// How long one question may take, with connecting and the whole answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The largest answer. A node has 110 pods by default, of some 10 KiB each.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// Where the kubelet is when no name of the node is known; the agent then shares the node's network.
const LOCALHOST: &str = "127.0.0.1";

/// The kubelet, and how it is asked.
pub(crate) struct Kubelet {
    port: KubeletPort,
    host: Option<String>,
    reload_interval: Duration,
    clock: Clock,
    access: Mutex<Option<Loaded>>,
}

/// What the files held, and when they were looked at on the monotonic clock.
#[derive(Clone)]
struct Loaded {
    access: Arc<Access>,
    at: Duration,
}

impl Kubelet {
    pub(crate) fn new(config: &K8sConfig, clock: Clock) -> Self {
        Self {
            port: config.port.clone(),
            host: config.host(),
            reload_interval: config.reload_interval,
            clock,
            access: Mutex::default(),
        }
    }

    /// All pods of the node, with everything that is needed of them.
    pub(crate) async fn pods(&self) -> Result<Pods, K8sError> {
        let access = self.access().await?;
        let answer = self.clock.timeout(LIMIT, self.ask(&access)).await;
        let answer = answer.map_err(|source| K8sError::Late { kubelet: self.name(), source })?;
        let (status, body) = answer?;
        if status != StatusCode::OK {
            return Err(self.refusal(status));
        }
        Pods::parse(&body).map_err(|error| K8sError::Malformed {
            kubelet: self.name(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// What the files say; when they cannot be read any more, what they said before.
    async fn access(&self) -> Result<Arc<Access>, K8sError> {
        let now = self.clock.monotonic();
        let before = self.loaded().clone();
        if let Some(loaded) = before.as_ref().filter(|loaded| now < loaded.at + self.reload_interval) {
            return Ok(Arc::clone(&loaded.access));
        }
        let access = match (Access::load(&self.port, self.host.is_some(), &self.clock).await, before) {
            (Ok(access), _) => Arc::new(access),
            (Err(error), Some(before)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "The kubelet's certificates or the token cannot be read again; going on with those before"
                );
                before.access
            }
            (Err(error), None) => return Err(error),
        };
        *self.loaded() = Some(Loaded { access: Arc::clone(&access), at: now });
        Ok(access)
    }

    fn refusal(&self, status: StatusCode) -> K8sError {
        let denied = |remedy| K8sError::Denied { kubelet: self.name(), status: status.as_u16(), remedy };
        match status {
            StatusCode::UNAUTHORIZED => {
                // The token may have been replaced since it was read.
                *self.loaded() = None;
                denied("it does not accept the agent's token or certificate")
            }
            StatusCode::FORBIDDEN => denied("let the agent's service account get nodes/proxy"),
            _ => K8sError::Refused { kubelet: self.name(), status: status.as_u16() },
        }
    }

    async fn ask(&self, access: &Access) -> Result<(StatusCode, Vec<u8>), K8sError> {
        let unreachable = |source| K8sError::Unreachable { kubelet: self.name(), source };
        let stream = TcpStream::connect((self.host(), self.number())).await.map_err(unreachable)?;
        let Some(tls) = &access.tls else { return self.exchange(stream, access).await };
        let name = ServerName::try_from(self.host().to_owned()).map_err(|error| self.broken(error))?;
        let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        let unverified = |source| K8sError::Unverified { kubelet: self.name(), source };
        self.exchange(handshake.map_err(unverified)?, access).await
    }

    async fn exchange<S>(&self, stream: S, access: &Access) -> Result<(StatusCode, Vec<u8>), K8sError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(error))?;
        let mut request = Request::get("/pods").header(HOST, self.name()).header(ACCEPT, "application/json");
        if let Some(token) = &access.authorization {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Empty::new()).map_err(|error| self.broken(error))?;
        let exchange = async move {
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok((head.status, bounded(body).await?))
        };
        // The connection ends once the exchange has let go of it; what became of it, the exchange knows.
        let (answer, _) = join(exchange, connection).await;
        answer.map_err(|error: BoxError| self.broken(error))
    }

    fn broken(&self, source: impl Into<BoxError>) -> K8sError {
        K8sError::Broken { kubelet: self.name(), source: source.into() }
    }

    fn host(&self) -> &str {
        self.host.as_deref().unwrap_or(LOCALHOST)
    }

    fn number(&self) -> u16 {
        match self.port {
            KubeletPort::ReadOnly(port) | KubeletPort::Secure { port, .. } => port,
        }
    }

    /// Host and port.
    fn name(&self) -> String {
        let (host, port) = (self.host(), self.number());
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The whole answer in one piece. It is megabytes: no frame of it is kept beside that.
async fn bounded(body: Incoming) -> Result<Vec<u8>, BoxError> {
    let mut body = Limited::new(body, MAX_ANSWER_BYTES);
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}
