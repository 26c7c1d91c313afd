//! A process with an identity.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::SpiffeId;
use finial_receive::{Endpoint, JwtSource, NotLive, Source};
use finial_tls::{Acceptor, Connector, Policy};
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};

use crate::{Connection, Error, Listener};

/// For the first identity: an agent that is starting needs a few seconds, and an entry made just now one more.
const FIRST_IDENTITY: Duration = Duration::from_secs(30);
/// To reach an address, before the handshake.
const DIAL: Duration = Duration::from_secs(10);

/// The identity of this process, kept current while any clone of it, or anything made from it, lives.
#[derive(Clone, Debug)]
pub struct Workload {
    source: Source,
    provider: Option<Provider>,
}

/// Where JWT-SVIDs come from, once somebody asks for one.
#[derive(Clone, Debug)]
struct Provider {
    endpoint: Endpoint,
    tasks: Tasks,
    jwt: Arc<OnceLock<JwtSource>>,
}

impl Workload {
    /// Takes the identity from the agent that `SPIFFE_ENDPOINT_SOCKET` names, as in `unix:///run/finial/agent.sock`,
    /// and waits for it, at most 30 seconds. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Endpoint`] when the variable is missing or wrong; [`Error::NoIdentity`] with the reason when there is
    /// no identity in time.
    pub async fn connect() -> Result<Self, Error> {
        let endpoint = Endpoint::from_env().map_err(Error::Endpoint)?;
        let clock = Clock::system();
        let workload = Self::open(&endpoint, &clock, &Tasks::new(clock.clone()));
        workload.ready(FIRST_IDENTITY).await?;
        Ok(workload)
    }

    /// Takes the identity from the agent at `endpoint`, and returns at once: wait for [`ready`](Self::ready). Ends
    /// with `tasks`. Must be called inside a Tokio runtime.
    pub fn open(endpoint: &Endpoint, clock: &Clock, tasks: &Tasks) -> Self {
        let source = Source::from_workload_api(endpoint, clock, tasks);
        let provider = Provider { endpoint: endpoint.clone(), tasks: tasks.clone(), jwt: Arc::default() };
        Self { source, provider: Some(provider) }
    }

    /// Takes the identity from elsewhere, such as [`Source::from_files`]. There are no JWT-SVIDs then.
    pub fn from_source(source: Source) -> Self {
        Self { source, provider: None }
    }

    /// Waits for the first identity, at most for `limit`.
    ///
    /// # Errors
    /// [`Error::NoIdentity`] with the reason why there is none by then.
    pub async fn ready(&self, limit: Duration) -> Result<(), Error> {
        let ready = match self.source.clock().timeout(limit, self.source.ready()).await {
            Ok(ready) => ready,
            Err(_) => self.source.context(),
        };
        ready.map(drop).map_err(Error::NoIdentity)
    }

    /// Who this process is now: the ID of its default credential.
    ///
    /// # Errors
    /// When it has no identity at the moment.
    pub fn id(&self) -> Result<SpiffeId, NotLive> {
        Ok(self.source.credential()?.svid().id().clone())
    }

    /// The live credentials and bundles.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// JWT-SVIDs, and the bundles that verify those of others, from the same agent; `None` for a workload
    /// [from another source](Self::from_source). Connects at the first call, which must be made inside a Tokio
    /// runtime.
    pub fn jwt(&self) -> Option<&JwtSource> {
        let Provider { endpoint, tasks, jwt } = self.provider.as_ref()?;
        Some(jwt.get_or_init(|| JwtSource::from_workload_api(endpoint, self.source.clock(), tasks)))
    }

    /// Secures streams that others have opened, and accepts the clients that `policy` permits.
    pub fn acceptor(&self, policy: Policy) -> Acceptor {
        Acceptor::new(&self.source, policy)
    }

    /// Secures streams that we have opened, and accepts the servers that `policy` permits.
    pub fn connector(&self, policy: Policy) -> Connector {
        Connector::new(&self.source, policy)
    }

    /// Listens on `address`, as `HOST:PORT`, for the clients that `policy` permits.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address cannot be bound.
    pub async fn listen(&self, address: &str, policy: Policy) -> Result<Listener, Error> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|cause| Error::Listen { address: address.to_owned(), cause })?;
        Ok(Listener::new(listener, self.acceptor(policy), self.source.clock().clone()))
    }

    /// Connects to `address`, as `HOST:PORT`, if the server is one that `policy` permits. For many connections keep
    /// a [`connector`](Self::connector).
    ///
    /// In TLS 1.3 this side is done before the server has looked at our SVID: its refusal is an error of the first
    /// read.
    ///
    /// # Errors
    /// When the address does not answer within ten seconds, and when the server is not permitted.
    pub async fn dial(&self, address: &str, policy: Policy) -> Result<Connection, Error> {
        let dialled = self.source.clock().timeout(DIAL, TcpStream::connect(address)).await;
        let stream = dialled
            .map_err(|cause| Error::TooSlow { address: address.to_owned(), cause })?
            .map_err(|cause| Error::Dial { address: address.to_owned(), cause })?;
        let secured = self.connector(policy).connect(stream, server_name(address)).await;
        secured.map(Connection::from).map_err(|cause| Error::Tls { address: address.to_owned(), cause })
    }
}

/// The host of an address; no SNI is sent for one that is no DNS name.
fn server_name(address: &str) -> ServerName<'static> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    ServerName::try_from(host.to_owned()).unwrap_or(ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}
