//! The way to the server: mTLS over TCP, made anew for each connection from whatever identity the agent has then.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context as Polled, Poll, ready};
use std::time::Duration;

use anyhow::Context;
use finial_daemon::Clock;
use finial_receive::Source;
use finial_tls::{Connector, Fallen, Policy};
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
    ) -> anyhow::Result<Connection<impl AsyncRead + AsyncWrite + Send + Unpin + use<>>> {
        let stream = self.dial().await?;
        // Without it small frames wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let secured = self.connector.connect(stream, self.name.clone()).await?;
        let mut standing = secured.standing;
        let fallen = Box::pin(async move { standing.fallen().await });
        Ok(Connection { stream: secured.stream, fallen: Some(fallen) })
    }

    /// The first address of the server that accepts a connection.
    async fn dial(&self) -> anyhow::Result<TcpStream> {
        let Self { host, port, .. } = self;
        let found = tokio::net::lookup_host((host.as_str(), *port));
        let found = self.clock.timeout(CONNECT_LIMIT, found).await;
        let addresses = found?.with_context(|| format!("cannot find the address of the server {host}"))?;
        let mut failure = None;
        for address in addresses {
            match self.clock.timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = Some((address, anyhow::Error::from(error))),
                Err(late) => failure = Some((address, late.into())),
            }
        }
        match failure {
            Some((address, error)) => {
                Err(error.context(format!("cannot reach the server {host} at {address}")))
            }
            None => anyhow::bail!("the server name {host} has no address"),
        }
    }
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
