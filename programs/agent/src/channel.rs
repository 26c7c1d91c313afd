//! The way to the servers: mTLS over TCP to one of them at a time, made anew for each connection from whatever
//! identity the agent has then.

mod connection;
mod roster;
mod srv;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use finial_daemon::Clock;
use finial_identity::{Bundle, CLOCK_SKEW, TrustDomain, X509Error};
use finial_receive::Source;
use finial_tls::{Connector, HandshakeSettings, Offer, Policy, Secured, TlsError};
use hickory_resolver::net::NetError;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::Config;
use crate::config::{ServerAddress, Servers};
use crate::identity::only;
use connection::Connection;
use roster::Roster;

/// How long one address of a server may take to accept a connection, and DNS to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the server may take to answer a call, as in SPIRE.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// A server that vanished without a word is noticed within the sum of these two while a call is open, as the stream
/// of changes is.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_LIMIT: Duration = Duration::from_secs(10);
/// How many bytes may be under way to us: pages of entries, which are longer than HTTP/2's 64 KiB, without a wait.
const WINDOW: u32 = 1024 * 1024;
/// The most addresses of one server that are tried.
const MAX_ADDRESSES: usize = 16;

/// Makes channels to the servers of this agent. Clones share what they learn of them.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    servers: Servers,
    roster: Roster,
    endpoint: Endpoint,
    connector: Connector,
    offer: Offer,
    estranged: watch::Sender<Option<SystemTime>>,
    clock: Clock,
}

impl Dialer {
    /// Presents what `source` holds at the time of each connection, and accepts nobody but the server of the trust
    /// domain (`/spire/server`), verified against the source's bundles.
    pub(crate) fn new(config: &Config, source: &Source, clock: &Clock) -> anyhow::Result<Self> {
        if let Servers::Listed(servers) = &config.servers {
            for server in servers {
                server_name(&server.host).with_context(|| {
                    let host = &server.host;
                    format!("the server address `{host}` is neither a host name nor an IP address")
                })?;
            }
        }
        // The transport would insist on TLS of its own for https; what the server sees is the origin.
        let endpoint = Endpoint::from_static("http://server")
            .origin(Uri::from_static("https://server"))
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_LIMIT)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let offer = if config.require_pq_kem { Offer::quantum_safe() } else { Offer::default() };
        Ok(Self {
            servers: config.servers.clone(),
            roster: Roster::new(clock),
            endpoint,
            connector: connector(source, &config.trust_domain, &offer),
            offer,
            estranged: watch::Sender::new(None),
            clock: clock.clone(),
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

    /// Since when every server that could be reached led to an authority that this agent does not know; `None` when
    /// one was verified since.
    pub(crate) fn estranged(&self) -> watch::Receiver<Option<SystemTime>> {
        self.estranged.subscribe()
    }

    /// The first server that accepts a connection, with nothing said yet.
    pub(crate) async fn dial_any(&self) -> Result<(TcpStream, ServerName<'static>), DialError> {
        let mut failure = DialError::NoServer;
        for server in self.order().await? {
            match self.dial(&server).await {
                Ok(stream) => return Ok((stream, server_name(&server.host)?)),
                Err(error) => failure = self.note(&server, error),
            }
        }
        Err(failure)
    }

    /// Whether a server that answers now leads to `bundle`. It is shown nothing of this agent.
    pub(crate) async fn is_vouched_for_by(&self, bundle: &Arc<Bundle>) -> bool {
        let (writer, source) = Source::channel(&self.clock);
        writer.publish_anonymous(only(bundle));
        let connector = connector(&source, &bundle.trust_domain, &self.offer);
        for server in self.order().await.unwrap_or_default() {
            if self.connect_to(&server, &connector).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// The first server that can be verified.
    async fn connect(
        &self,
    ) -> Result<Connection<impl AsyncRead + AsyncWrite + Send + Unpin + use<>>, DialError> {
        let mut failure = DialError::NoServer;
        for server in self.order().await? {
            match self.connect_to(&server, &self.connector).await {
                Ok(secured) => {
                    self.estranged.send_if_modified(|since| since.take().is_some());
                    let (term, is_other) = self.roster.serves(&server);
                    if is_other {
                        tracing::info!(%server, "the agent goes on with the server {server}");
                    }
                    return Ok(Connection::new(secured.stream, secured.standing, term));
                }
                Err(error) => {
                    let error = self.note(&server, error);
                    // A server that is a stranger says more than one that is not there.
                    if !failure.is_estrangement() {
                        failure = error;
                    }
                }
            }
        }
        if failure.is_estrangement() {
            let now = self.clock.now();
            self.estranged.send_if_modified(|since| since.replace(since.unwrap_or(now)).is_none());
        }
        Err(failure)
    }

    /// The servers in the order in which to try them.
    async fn order(&self) -> Result<Vec<ServerAddress>, DialError> {
        let servers = match &self.servers {
            Servers::Listed(servers) => servers.clone(),
            Servers::Srv(name) => {
                let found = self.clock.timeout(CONNECT_LIMIT, srv::look_up(name)).await;
                self.or_listed(name, found.unwrap_or(Err(NetError::Timeout)))?
            }
        };
        Ok(self.roster.order(servers))
    }

    /// When DNS does not answer, the servers that it named last: they are more likely there than not.
    fn or_listed(
        &self,
        name: &str,
        found: Result<Vec<ServerAddress>, NetError>,
    ) -> Result<Vec<ServerAddress>, DialError> {
        found.or_else(|source| {
            let listed = self.roster.listed();
            if listed.is_empty() {
                return Err(DialError::Srv { name: name.to_owned(), source });
            }
            let error: &(dyn std::error::Error + 'static) = &source;
            tracing::warn!(
                error,
                "the SRV records of {name} cannot be looked up; the servers of before are tried"
            );
            Ok(listed)
        })
    }

    /// Remembers the failure; what is tried next is the caller's to say.
    fn note(&self, server: &ServerAddress, error: DialError) -> DialError {
        self.roster.failed(server);
        let cause: &(dyn std::error::Error + 'static) = &error;
        tracing::debug!(%server, error = cause, "no connection to the server {server}");
        error
    }

    async fn connect_to(
        &self,
        server: &ServerAddress,
        connector: &Connector,
    ) -> Result<Secured<TlsStream<TcpStream>>, DialError> {
        let stream = self.dial(server).await?;
        let secured = connector.connect(stream, server_name(&server.host)?).await;
        secured.map_err(|source| DialError::Tls { server: server.clone(), source })
    }

    /// The first address of a server that accepts a connection.
    async fn dial(&self, server: &ServerAddress) -> Result<TcpStream, DialError> {
        let name = || server.clone();
        let addresses = self.within_limit(tokio::net::lookup_host((server.host.as_str(), server.port))).await;
        let addresses = addresses.map_err(|source| DialError::Lookup { server: name(), source })?;
        let mut failure = DialError::NoAddress { server: name() };
        for address in addresses.take(MAX_ADDRESSES) {
            match self.within_limit(TcpStream::connect(address)).await {
                Ok(stream) => {
                    // Without it small frames wait for the acknowledgement of the one before. That it fails means that
                    // the connection has gone already, which the handshake notices.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(source) => failure = DialError::Connect { server: name(), address, source },
            }
        }
        Err(failure)
    }

    async fn within_limit<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let done = self.clock.timeout(CONNECT_LIMIT, step).await;
        done.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late)))
    }
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("cannot look up the SRV records of {name}")]
    Srv { name: String, source: NetError },
    #[error("there is no server: the SRV records name none")]
    NoServer,
    #[error("cannot find the address of the server {server}")]
    Lookup { server: ServerAddress, source: io::Error },
    #[error("the server name {server} has no address")]
    NoAddress { server: ServerAddress },
    #[error("cannot reach the server {server} at {address}")]
    Connect { server: ServerAddress, address: SocketAddr, source: io::Error },
    #[error("cannot secure the connection to the server {server}")]
    Tls { server: ServerAddress, source: TlsError },
    #[error("the server address is neither a host name nor an IP address")]
    Name(#[from] rustls_pki_types::InvalidDnsNameError),
}

impl DialError {
    /// Whether the server leads to an authority that this agent does not know, as after an absence.
    fn is_estrangement(&self) -> bool {
        let Self::Tls { source: TlsError::Untrusted(cause), .. } = self else { return false };
        matches!(**cause, X509Error::Chain(_) | X509Error::NoAuthority(_))
    }
}

/// To the server of the trust domain, and nobody else.
fn connector(source: &Source, trust_domain: &TrustDomain, offer: &Offer) -> Connector {
    let settings =
        HandshakeSettings { offer: offer.clone(), skew: CLOCK_SKEW, ..HandshakeSettings::default() };
    Connector::new(source, Policy::ids([trust_domain.server_id()])).with_alpn(["h2"]).with_settings(settings)
}

fn server_name(host: &str) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    ServerName::try_from(host.to_owned())
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
