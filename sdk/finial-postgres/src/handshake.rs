//! One TLS handshake of one connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use finial_receive::{NotLive, Source};
use finial_tls::{Connector, Secured, Standing, TlsError, WebDialer};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::TlsConnect;
use tokio_rustls::client;

use crate::attempt::{Attempt, Established};
use crate::server::Kind;
use crate::{Error, TlsStream};

/// The application protocol of direct TLS (PostgreSQL 17 §54.2.11); libpq offers it always, and so do we.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// How a handshake is performed, by what the server is known.
#[derive(Clone, Debug)]
pub(crate) enum Dialer {
    Spiffe(Connector),
    Web(WebDialer),
}

/// One handshake to come: what [`Connector`](crate::Connector) makes for tokio-postgres.
pub struct Handshake {
    pub(crate) source: Source,
    pub(crate) dialer: Dialer,
    pub(crate) server: Kind,
    pub(crate) host: String,
    pub(crate) attempt: Option<Arc<Attempt>>,
}

impl Handshake {
    async fn perform<S>(self, stream: S) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.name()?;
        // What is presented is this one or a newer one.
        let credential = match self.source.credential() {
            Ok(credential) => Some(credential),
            Err(NotLive::Anonymous) => None,
            Err(reason) => return Err(Error::Tls(reason.into())),
        };
        let secured = self.dialer.dial(stream, name).await;
        let (stream, standing, server_until) = secured.map_err(|cause| self.explain(cause))?;
        let stream = TlsStream::new(stream, standing);
        if let Some(attempt) = &self.attempt {
            let (_, tls) = stream.stream().get_ref();
            if attempt.is_direct && tls.alpn_protocol() != Some(ALPN) {
                return Err(Error::NotPostgres);
            }
            let server = stream.leaf().cloned();
            attempt.note(Established { credential, server_until, server });
        }
        Ok(stream)
    }

    /// The name that is sent, and looked for where the server is known by its host.
    fn name(&self) -> Result<ServerName<'static>, Error> {
        match (ServerName::try_from(self.host.clone()), &self.server) {
            (Ok(name), _) => Ok(name),
            // It is known by its ID; for an address no name is sent.
            (Err(_), Kind::Id(_) | Kind::Policy(_)) => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()),
            (Err(_), Kind::Host | Kind::HostByRoots(_)) => Err(Error::NoHostName(self.host.clone())),
        }
    }

    fn explain(&self, cause: TlsError) -> Error {
        let presented = match &cause {
            TlsError::Unauthorized { id } => id.to_string(),
            TlsError::WrongHost { id, names, .. } if names.is_empty() => format!("{id}, without a DNS name"),
            TlsError::WrongHost { id, names, .. } => format!("{id}, with the DNS names {}", names.join(", ")),
            TlsError::WrongName { subject, .. } => subject.clone(),
            _ => return Error::Tls(cause),
        };
        Error::WrongServer { presented, wanted: self.server.wanted(&self.host), cause: Box::new(cause) }
    }
}

impl Dialer {
    /// Gives the stream, how long it may be trusted, and until when the server's certificate is valid.
    async fn dial<S>(
        &self,
        stream: S,
        name: ServerName<'static>,
    ) -> Result<(client::TlsStream<S>, Standing, SystemTime), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Spiffe(connector) => {
                let Secured { stream, peer, standing } = connector.connect(stream, name).await?;
                Ok((stream, standing, peer.svid().not_after()))
            }
            Self::Web(dialer) => {
                let Secured { stream, peer, standing } = dialer.connect(stream, name).await?;
                Ok((stream, standing, peer.chain().not_after()))
            }
        }
    }
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<S>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<TlsStream<S>, Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(self.perform(stream))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("host", &self.host)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
