//! An agent without workloads: joined by a token, with a channel to its server.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use finial_identity::{
    BundleSet, CertificateRequest, KeyKind, PrivateKey, SpiffeId, TrustDomain, X509Credential,
};
use finial_receive::{Source, SourceWriter};
use finial_tls::{Connector, Policy};
use finial_wire::client::{AgentClient, BundleClient, Responder};
use finial_wire::{JoinTokenRequest, NodeEvidence};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Uri};
use tonic::{Status, async_trait};

const WINDOW: u32 = 1024 * 1024;

pub(crate) struct Agent {
    /// Whose children its entries are.
    pub(crate) id: SpiffeId,
    /// To the server, over mutual TLS.
    pub(crate) channel: Channel,
    /// The source of its identity lives as long.
    _writer: SourceWriter,
}

impl Agent {
    /// Joins the server that is administered by `local` and serves agents on `port`.
    pub(crate) async fn join(local: &Channel, port: u16) -> Self {
        let domain = TrustDomain::parse("example.org").unwrap();
        let bundle = Arc::new(BundleClient::new(local.clone()).bundle().await.unwrap());
        let bundles = BundleSet::from_iter([bundle]);
        let (writer, source) = Source::channel(&Clock::system());
        writer.publish_anonymous(bundles.clone());
        let connector = Connector::new(&source, Policy::ids([domain.server_id()])).with_alpn(["h2"]);

        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let request = JoinTokenRequest { ttl: Duration::from_secs(60), token: None, agent_id: None };
        let token = AgentClient::new(local.clone()).create_join_token(request).await.unwrap().value;
        let evidence = NodeEvidence { kind: "join_token".to_owned(), payload: token.into_bytes() };
        let csr = CertificateRequest::create(&key, None).unwrap();
        let first = AgentClient::new(channel(&connector, port));
        let svid = first.attest_agent(evidence, csr, &mut Nothing).await.unwrap().svid;
        let id = svid.id().clone();
        let credential = X509Credential::new(svid, key, String::new()).unwrap();
        writer.publish(vec![credential], bundles).unwrap();
        Self { id, channel: channel(&connector, port), _writer: writer }
    }
}

fn channel(connector: &Connector, port: u16) -> Channel {
    let connector = connector.clone();
    let dial = tower::service_fn(move |_: Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(anyhow::Error::from)?;
            stream.set_nodelay(true)?;
            let secured = connector.connect(stream, "localhost".try_into()?).await?;
            anyhow::Ok(TokioIo::new(secured.stream))
        }
    });
    let endpoint = Channel::from_static("http://localhost");
    // As the agent has it.
    let endpoint = endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    endpoint.connect_with_connector_lazy(dial)
}

/// A join token has no challenge.
struct Nothing;

#[async_trait]
impl Responder for Nothing {
    async fn respond(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Err(Status::internal("a join token has no challenge"))
    }
}
