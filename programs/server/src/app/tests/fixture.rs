//! A server in this process, and the clients that its callers use.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{
    Bundle, BundleSet, CertificateRequest, EntryDraft, KeyKind, PrivateKey, Selector, SpiffeId, TrustDomain,
    X509Credential, X509Svid,
};
use finial_receive::{Endpoint, Source};
use finial_tls::{Connector, Policy};
use finial_wire::client::{AgentClient, BundleClient, EntryClient, Responder};
use finial_wire::{AttestationResult, JoinTokenRequest, NodeEvidence};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::transport::Channel;

use crate::{Config, KeysConfig, StoreConfig, build};

/// A clock that stands at 2027-01-15 08:00:00 UTC until its hand is moved.
pub(super) fn clock() -> (Clock, ClockHand) {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

pub(super) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(super) fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

/// An entry below `parent` for processes of one user.
pub(super) fn draft(path: &str, parent: &SpiffeId) -> EntryDraft {
    let selectors = [Selector::parse("unix:uid:1000").unwrap()];
    EntryDraft::new(id(path), parent.clone(), selectors.into_iter().collect())
}

pub(super) struct Server {
    pub(super) config: Config,
    pub(super) folder: TempDir,
    pub(super) hand: ClockHand,
    pub(super) address: SocketAddr,
    pub(super) socket: PathBuf,
    clock: Clock,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) health: Option<SocketAddr>,
    /// How many connections were made to the TCP port.
    pub(super) connections: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<anyhow::Result<()>>,
}

impl Server {
    /// Keeps everything in memory.
    pub(super) async fn start() -> Self {
        Self::start_with(|config| {
            config.store = StoreConfig::Memory;
            config.keys = KeysConfig::Memory;
        })
        .await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(trust_domain(), folder.path());
        config.bind_address = Ipv4Addr::LOCALHOST.into();
        config.bind_port = 0;
        config.socket_path = folder.path().join("api.sock");
        change(&mut config);
        Self::run(config, folder).await
    }

    /// Stops, and starts again with the same files.
    pub(super) async fn restart(self) -> Self {
        let config = self.config.clone();
        Self::run(config, self.stop().await).await
    }

    async fn run(config: Config, folder: TempDir) -> Self {
        let (clock, hand) = clock();
        let app = build(config.clone(), &clock).await.unwrap();
        let (address, socket) = (app.address(), app.socket_path().to_owned());
        let (metrics, health) = (app.metrics_address(), app.health_address());
        let (stop, stopped) = oneshot::channel::<()>();
        let (report, ended) = oneshot::channel();
        Tasks::new(clock.clone()).spawn("server", async move {
            let outcome = app.run(async move { drop(stopped.await) }).await;
            let _ = report.send(outcome);
        });
        Self {
            config,
            folder,
            hand,
            address,
            socket,
            clock,
            metrics,
            health,
            connections: Arc::default(),
            stop,
            ended,
        }
    }

    pub(super) async fn stop(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
        assert!(!self.socket.exists());
        self.folder
    }

    /// An operator at the Unix socket.
    pub(super) fn operator(&self) -> Channel {
        let endpoint = Endpoint::parse(&format!("unix://{}", self.socket.display())).unwrap();
        finial_receive::connect(&endpoint)
    }

    /// Somebody at the TCP port, with this identity or none.
    pub(super) async fn stranger(&self, credential: Option<X509Credential>) -> Channel {
        let bundle = BundleClient::new(self.operator()).bundle().await.unwrap();
        self.caller(bundle, credential)
    }

    /// The same, trusting this bundle.
    pub(super) fn caller(&self, bundle: Bundle, credential: Option<X509Credential>) -> Channel {
        self.caller_behind("", bundle, credential)
    }

    /// The same, by way of a balancer that says this first.
    pub(super) fn caller_behind(
        &self,
        header: &'static str,
        bundle: Bundle,
        credential: Option<X509Credential>,
    ) -> Channel {
        let bundles: BundleSet = [Arc::new(bundle)].into_iter().collect();
        let (writer, source) = Source::channel(&self.clock);
        match credential {
            Some(credential) => writer.publish(vec![credential], bundles).unwrap(),
            None => writer.publish_anonymous(bundles),
        }
        let connector = Connector::new(&source, Policy::ids([trust_domain().server_id()])).with_alpn(["h2"]);
        let (address, writer) = (self.address, Arc::new(writer));
        let connections = Arc::clone(&self.connections);
        let connect = tower::service_fn(move |_| {
            connections.fetch_add(1, Ordering::Relaxed);
            let (connector, writer) = (connector.clone(), Arc::clone(&writer));
            async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(header.as_bytes()).await?;
                let name = ServerName::try_from("server").unwrap();
                let secured = connector.connect(stream, name).await.map_err(std::io::Error::other)?;
                drop(writer);
                Ok::<_, std::io::Error>(TokioIo::new(secured.stream))
            }
        });
        Channel::from_static("http://server").connect_with_connector_lazy(connect)
    }

    /// A connection to the TCP port after its handshake, on which nothing has been said.
    pub(super) async fn dial(&self, credential: Option<X509Credential>) -> TlsStream<TcpStream> {
        let bundle = BundleClient::new(self.operator()).bundle().await.unwrap();
        let bundles: BundleSet = [Arc::new(bundle)].into_iter().collect();
        let (writer, source) = Source::channel(&self.clock);
        match credential {
            Some(credential) => writer.publish(vec![credential], bundles).unwrap(),
            None => writer.publish_anonymous(bundles),
        }
        let connector = Connector::new(&source, Policy::ids([trust_domain().server_id()])).with_alpn(["h2"]);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let secured = connector.connect(stream, ServerName::try_from("server").unwrap()).await.unwrap();
        secured.stream
    }

    /// A new join token.
    pub(super) async fn token(&self) -> String {
        let request = JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id: None };
        AgentClient::new(self.operator()).create_join_token(request).await.unwrap().value
    }

    /// Joins with a new token.
    pub(super) async fn agent(&self) -> Agent {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let attested = attest(&self.stranger(None).await, &self.token().await, &key).await.unwrap();
        let credential = X509Credential::new(attested.svid, key, String::new()).unwrap();
        let channel = self.stranger(Some(credential.clone())).await;
        Agent { credential, channel }
    }

    /// What its SVIDs are verified against.
    pub(super) async fn bundles(&self) -> BundleSet {
        let bundle = BundleClient::new(self.operator()).bundle().await.unwrap();
        [Arc::new(bundle)].into_iter().collect()
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(super) fn entries(&self) -> EntryClient {
        EntryClient::new(self.operator())
    }
}

/// An agent that has joined.
pub(super) struct Agent {
    pub(super) credential: X509Credential,
    pub(super) channel: Channel,
}

impl Agent {
    pub(super) fn id(&self) -> &SpiffeId {
        self.svid().id()
    }

    pub(super) fn svid(&self) -> &X509Svid {
        self.credential.svid()
    }
}

pub(super) async fn attest(
    channel: &Channel,
    token: &str,
    key: &PrivateKey,
) -> Result<AttestationResult, Status> {
    let evidence = NodeEvidence { kind: "join_token".to_owned(), payload: token.as_bytes().to_vec() };
    let csr = CertificateRequest::create(key, None).unwrap();
    AgentClient::new(channel.clone()).attest_agent(evidence, csr, &mut Speechless).await
}

struct Speechless;

#[async_trait]
impl Responder for Speechless {
    async fn respond(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Err(Status::invalid_argument("a join token has no answer"))
    }
}
