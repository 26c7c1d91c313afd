//! Whoever may call an RPC, and a call without content: is anybody there who would read it?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BufMut};
use finial_daemon::Clock;
use finial_identity::{
    BundleSet, CertificateRequest, EntryDraft, KeyKind, PrivateKey, Selector, SpiffeId, TrustDomain,
    X509Credential,
};
use finial_receive::{Endpoint, Source, connect};
use finial_tls::{Connector, Policy};
use finial_wire::client::{AgentClient, BundleClient, EntryClient, Responder, SvidClient};
use finial_wire::{JoinTokenRequest, NodeEvidence};
use futures_util::stream;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::admin::Case;

/// How long an RPC may take to say that it is there. A stream that is there may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server and an agent, and everybody who may call something there.
pub(super) struct Callers {
    operator: Channel,
    agent: Channel,
    downstream: Channel,
    workload: Channel,
    admin: Channel,
    _case: Case,
}

impl Callers {
    pub(super) async fn start() -> Self {
        let case = Case::start();
        let operator = unix(Path::new(&case.pair.path("server.sock")));
        let agent = agent(&operator, case.pair.port()).await;
        let downstream = downstream(&operator, case.pair.port()).await;
        let workload = unix(Path::new(&case.pair.path("agent.sock")));
        let admin = unix(&case.socket());
        Self { operator, agent, downstream, workload, admin, _case: case }
    }

    /// Whether an RPC is there, by what the first one hears who may call it.
    pub(super) async fn is_served(&self, service: &str, method: &str) -> bool {
        let callers = match service {
            "SpiffeWorkloadAPI" | "envoy.service.secret.v3.SecretDiscoveryService" => vec![&self.workload],
            "spire.agent.debug.v1.Debug" | "finial.agent.v1.Explain" => vec![&self.admin],
            _ if service.starts_with("spire.api.agent.") => vec![&self.admin],
            _ => vec![&self.operator, &self.agent, &self.downstream],
        };
        let path = format!("/{service}/{method}");
        for caller in callers {
            let heard = call(caller, &path).await;
            let denied = format!("authorization denied for method {path}");
            match heard {
                Err(status) if status.message() == denied => {}
                Err(status) => return status.code() != Code::Unimplemented,
                Ok(()) => return true,
            }
        }
        panic!("nobody may call {path}");
    }
}

fn unix(path: &Path) -> Channel {
    connect(&Endpoint::Unix(path.to_owned()))
}

/// An agent that has just joined.
async fn agent(operator: &Channel, port: u16) -> Channel {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let request = JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id: None };
    let token = AgentClient::new(operator.clone()).create_join_token(request).await.unwrap().value;
    let evidence = NodeEvidence { kind: "join_token".to_owned(), payload: token.into_bytes() };
    let csr = CertificateRequest::create(&key, None).unwrap();
    let stranger = AgentClient::new(over_tls(operator, port, None).await);
    let attested = stranger.attest_agent(evidence, csr, &mut Speechless).await.unwrap();
    let credential = X509Credential::new(attested.svid, key, String::new()).unwrap();
    over_tls(operator, port, Some(credential)).await
}

/// A server below this one, as far as its entry goes.
async fn downstream(operator: &Channel, port: u16) -> Channel {
    let id = |text: &str| SpiffeId::parse(text).unwrap();
    let below = id("spiffe://example.org/below");
    let selectors = [Selector::parse("unix:uid:7").unwrap()].into_iter().collect();
    let mut draft = EntryDraft::new(below.clone(), id("spiffe://example.org/node"), selectors);
    draft.downstream = true;
    EntryClient::new(operator.clone()).create_entry(None, &draft).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let csr = CertificateRequest::create_to_mint(&key, &below, &[] as &[&str]).unwrap();
    let svid = SvidClient::new(operator.clone()).mint_x509_svid(csr, None).await.unwrap();
    over_tls(operator, port, Some(X509Credential::new(svid, key, String::new()).unwrap())).await
}

/// The server's port, for whoever holds this credential.
async fn over_tls(operator: &Channel, port: u16, credential: Option<X509Credential>) -> Channel {
    let bundle = BundleClient::new(operator.clone()).bundle().await.unwrap();
    let bundles: BundleSet = [Arc::new(bundle)].into_iter().collect();
    let (writer, source) = Source::channel(&Clock::system());
    match credential {
        Some(credential) => writer.publish(vec![credential], bundles).unwrap(),
        None => writer.publish_anonymous(bundles),
    }
    let server = TrustDomain::parse("example.org").unwrap().server_id();
    let connector = Connector::new(&source, Policy::ids([server])).with_alpn(["h2"]);
    let writer = Arc::new(writer);
    let connect = tower::service_fn(move |_| {
        let (connector, writer) = (connector.clone(), Arc::clone(&writer));
        async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let name = ServerName::try_from("server").unwrap();
            let secured = connector.connect(stream, name).await.map_err(std::io::Error::other)?;
            drop(writer);
            Ok::<_, std::io::Error>(TokioIo::new(secured.stream))
        }
    });
    Channel::from_static("http://server").connect_with_connector_lazy(connect)
}

/// Sends one message without content, and hears how the answer begins.
async fn call(channel: &Channel, path: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(stream::once(std::future::ready(())));
    request.metadata_mut().insert("workload.spiffe.io", "true".parse().unwrap());
    let answer = grpc.streaming(request, PathAndQuery::try_from(path).unwrap(), Empty);
    match Clock::system().timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map(drop),
        Err(_) => Ok(()),
    }
}

/// Messages of no content.
#[derive(Clone, Copy, Default)]
struct Empty;

impl Codec for Empty {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Empty {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(b"");
        Ok(())
    }
}

impl Decoder for Empty {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}

struct Speechless;

#[async_trait]
impl Responder for Speechless {
    async fn respond(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Err(Status::invalid_argument("a join token has no answer"))
    }
}
