//! The way to the server: mTLS over TCP, made anew for each connection from whatever identity the agent has then.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as Polled, Poll, ready};
use std::time::Duration;

use anyhow::Context;
use finial_daemon::Clock;
use finial_receive::Source;
use finial_tls::{Connector, Fallen, Policy, TlsError};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::Status;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::Config;

/// How long one address of the server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the server may take to answer a call, as in SPIRE.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// A server that vanished without a word is noticed within the two of these while a call is open.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(10);

/// Makes channels to the one server of this agent.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    host: String,
    port: u16,
    name: ServerName<'static>,
    endpoint: Endpoint,
    connector: Connector,
    clock: Clock,
}

impl Dialer {
    /// Presents what `source` holds at the time of each connection, and accepts nobody but the server of the trust
    /// domain (`/spire/server`), verified against the source's bundles.
    pub(crate) fn new(config: &Config, source: &Source, clock: &Clock) -> anyhow::Result<Self> {
        let (host, authority) = (config.server_address.clone(), config.server_authority());
        let wrong = || format!("the server address `{host}` is neither a host name nor an IP address");
        let uri = |scheme: &str| format!("{scheme}://{authority}").parse::<Uri>();
        // The transport would insist on TLS of its own for https; what the server sees is the origin.
        let endpoint = Endpoint::from(uri("http").with_context(wrong)?)
            .origin(uri("https").with_context(wrong)?)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_LIMIT);
        Ok(Self {
            name: ServerName::try_from(host.clone()).with_context(wrong)?,
            port: config.server_port,
            endpoint,
            connector: Connector::new(source, Policy::ids([config.trust_domain.server_id()]))
                .with_alpn(["h2"]),
            clock: clock.clone(),
            host,
        })
    }

    /// A channel that connects with its first call, and again after each loss. Replace it when the agent's identity
    /// has changed: a connection keeps the one that it was made with.
    ///
    /// Must be called inside a Tokio runtime.
    pub(crate) fn channel(&self) -> Channel {
        let dialer = self.clone();
        self.endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let dialer = dialer.clone();
            async move { dialer.connect().await.map(TokioIo::new) }
        }))
    }

    async fn connect(
        &self,
    ) -> Result<Connection<impl AsyncRead + AsyncWrite + Send + Unpin + use<>>, DialError> {
        let stream = self.dial().await?;
        let secured = self.connector.connect(stream, self.name.clone()).await;
        let secured = secured.map_err(|source| DialError::Tls { host: self.host.clone(), source })?;
        let mut standing = secured.standing;
        let fallen = Box::pin(async move { standing.fallen().await });
        Ok(Connection { stream: secured.stream, fallen: Some(fallen) })
    }

    /// The first address of the server that accepts a connection.
    async fn dial(&self) -> Result<TcpStream, DialError> {
        let host = || self.host.clone();
        let addresses = self.within_limit(tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let addresses = addresses.map_err(|source| DialError::Lookup { host: host(), source })?;
        let mut failure = DialError::NoAddress { host: host() };
        for address in addresses {
            match self.within_limit(TcpStream::connect(address)).await {
                Ok(stream) => {
                    // Without it small frames wait for the acknowledgement of the one before. That it fails means that
                    // the connection has gone already, which the handshake notices.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(source) => failure = DialError::Connect { host: host(), address, source },
            }
        }
        Err(failure)
    }

    async fn within_limit<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let done = self.clock.timeout(CONNECT_LIMIT, step).await;
        done.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late)))
    }
}

/// Why there is no connection to the server.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("cannot find the address of the server {host}")]
    Lookup { host: String, source: io::Error },
    #[error("the server name {host} has no address")]
    NoAddress { host: String },
    #[error("cannot reach the server {host} at {address}")]
    Connect { host: String, address: SocketAddr, source: io::Error },
    #[error("cannot secure the connection to the server {host}")]
    Tls { host: String, source: TlsError },
}

/// What went wrong with a call, in one line: the server's message, or why there was no connection, down to the cause.
pub(crate) fn problem(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let link = error.to_string();
        // The transport says the same several times over.
        if link != "transport error" && !text.ends_with(&link) {
            text = format!("{text}: {link}");
        }
        cause = error.source();
    }
    text
}

/// Waits for the answer to a call, for as long as a call may take.
pub(crate) async fn answer<T>(
    clock: &Clock,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let answer = clock.timeout(CALL_LIMIT, call).await;
    answer.unwrap_or_else(|late| Err(Status::deadline_exceeded(format!("the server gave {late}"))))
}

/// A secured stream that breaks as soon as the trust it rests on has gone.
struct Connection<S> {
    stream: S,
    /// `None` once it has fallen.
    fallen: Option<Pin<Box<dyn Future<Output = Fallen> + Send>>>,
}

impl<S> Connection<S> {
    fn stand(&mut self, cx: &mut Polled<'_>) -> io::Result<()> {
        let Some(fallen) = &mut self.fallen else {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection is no longer trusted",
            ));
        };
        match fallen.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(fallen) => {
                self.fallen = None;
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, fallen))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Polled<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stand(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Polled<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stand(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
