//! Connecting to PostgreSQL with the SVID that is current at that moment.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use finial_receive::Source;
use finial_tls::{HandshakeSettings, NameRules, Policy, WebDialer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};

use crate::attempt::{Attempt, Established};
use crate::handshake::{ALPN, Dialer, Handshake};
use crate::server::Kind;
use crate::{Error, Server, TlsStream};

/// What one connection may take from the first packet until it can be used.
const LIMIT: Duration = Duration::from_secs(30);

/// Secures connections of tokio-postgres: presents the credential that is current in its source, and accepts only the
/// server that is wanted, by the bundles that are current. Nothing of a handshake is resumed by the next one.
///
/// [`connect`](Self::connect) opens a connection and says in its errors what to change. The connector is also a
/// [`MakeTlsConnect`], for whoever takes one: `cancel_query`, LISTEN loops, pools of others. There, set
/// `sslmode=require`, since with tokio-postgres's default a server that has no TLS is spoken to in plain text.
#[derive(Clone, Debug)]
pub struct Connector {
    source: Source,
    server: Kind,
    dialer: Dialer,
    limit: Duration,
    attempt: Option<Arc<Attempt>>,
}

/// An open connection, and what it was made with.
pub(crate) struct Opened {
    pub(crate) client: Client,
    pub(crate) connection: Connection<Socket, TlsStream<Socket>>,
    pub(crate) established: Option<Established>,
}

impl Connector {
    /// Presents the default credential of `source`, if it has one, to the server that is wanted.
    pub fn new(source: &Source, server: impl Into<Server>) -> Self {
        let Server(server) = server.into();
        let spiffe = |connector: finial_tls::Connector| Dialer::Spiffe(connector.with_alpn([ALPN]));
        let dialer = match &server {
            Kind::Id(id) => spiffe(finial_tls::Connector::new(source, Policy::ids([id.clone()]))),
            Kind::Policy(policy) => spiffe(finial_tls::Connector::new(source, policy.clone())),
            Kind::Host => spiffe(finial_tls::Connector::by_host(source)),
            Kind::HostByRoots(roots) => {
                let dialer = WebDialer::new(roots, NameRules::default()).presenting(source);
                Dialer::Web(dialer.with_alpn([ALPN]))
            }
        };
        Self { source: source.clone(), server, dialer, limit: LIMIT, attempt: None }.with_limit(LIMIT)
    }

    /// Gives each [`connect`](Self::connect), and each handshake alone, this long by the source's clock, instead of 30
    /// seconds.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        // Not shorter than the whole: an earlier timer than those there are would wake the runtime once more.
        let settings = HandshakeSettings { limit, ..HandshakeSettings::default() };
        self.dialer = match self.dialer {
            Dialer::Spiffe(connector) => Dialer::Spiffe(connector.with_settings(settings)),
            Dialer::Web(dialer) => Dialer::Web(dialer.with_settings(settings)),
        };
        self
    }

    /// Opens a connection, always with TLS: `sslmode` counts as `require`. As with tokio-postgres, the
    /// [`Connection`] does the work and must be spawned; it ends once its trust has gone, as [`TlsStream`] says.
    ///
    /// A `config` that has only addresses is taken to name its hosts so.
    ///
    /// # Errors
    /// Why there is no connection, and what would help.
    pub async fn connect(
        &self,
        config: &Config,
    ) -> Result<(Client, Connection<Socket, TlsStream<Socket>>), Error> {
        let Opened { client, connection, .. } = self.open(config).await?;
        Ok((client, connection))
    }

    pub(crate) async fn open(&self, config: &Config) -> Result<Opened, Error> {
        let config = secured(config)?;
        let attempt = Arc::new(Attempt::new(config.get_ssl_negotiation() == SslNegotiation::Direct));
        let connector = Self { attempt: Some(Arc::clone(&attempt)), ..self.clone() };
        let connecting = Box::pin(config.connect(connector));
        match self.source.clock().timeout(self.limit, connecting).await {
            Ok(Ok((client, connection))) => {
                Ok(Opened { client, connection, established: attempt.established() })
            }
            Ok(Err(cause)) => Err(Error::explain(cause, &config, &attempt)),
            Err(_) => Err(Error::TooSlow(self.limit)),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<S>;
    type TlsConnect = Handshake;
    type Error = Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Error> {
        if let Some(attempt) = &self.attempt {
            attempt.begin();
        }
        Ok(Handshake {
            source: self.source.clone(),
            dialer: self.dialer.clone(),
            server: self.server.clone(),
            host: host.to_owned(),
            attempt: self.attempt.clone(),
        })
    }
}

/// The same, with TLS at every host.
fn secured(config: &Config) -> Result<Config, Error> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Err(Error::WithoutTls);
    }
    if let Some(Host::Unix(path)) = config.get_hosts().iter().find(|host| matches!(host, Host::Unix(_))) {
        return Err(Error::UnixSocket(path.clone()));
    }
    let mut config = config.clone();
    config.ssl_mode(SslMode::Require);
    if config.get_hosts().is_empty() {
        // Without a host tokio-postgres refuses to speak TLS.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    Ok(config)
}
