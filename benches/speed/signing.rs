//! BatchNewX509SVID over mutual TLS: the server's CPU time an SVID, beside the bare check and signature.

use std::process::Command;
use std::sync::Arc;

use finial_daemon::Clock;
use finial_identity::{
    BundleSet, CertificateRequest, EntryDraft, EntryId, KeyKind, PrivateKey, Selector, SpiffeId, TrustDomain,
    X509Credential,
};
use finial_receive::{Endpoint, Source, connect};
use finial_testkit::{Process, finial, free_port};
use finial_tls::{Connector, Policy};
use finial_wire::client::{AgentClient, BundleClient, EntryClient, Responder, SvidClient};
use finial_wire::{JoinTokenRequest, NodeEvidence};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Uri};
use tonic::{Status, async_trait};

use crate::measure::{RUNS, cpu_us, median, own_cpu_us};

const BATCH: usize = 50;
const BATCHES: usize = 60;

pub(crate) async fn bench() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, port) = (folder.path().join("server.sock"), free_port());
    let config = folder.path().join("server.conf");
    std::fs::write(&config, configuration(folder.path().to_str().unwrap(), port)).unwrap();
    let mut server =
        Process::spawn("server", Command::new(finial()).args(["server", "run", "-config"]).arg(&config));
    server.wait_for_port(port);
    let local = connect(&Endpoint::Unix(socket));
    let (svids, requests) = agent(&local, port).await;

    let mut costs = vec![];
    for _ in 0..RUNS {
        let before = cpu_us(server.id());
        for _ in 0..BATCHES {
            let answers = svids.new_x509_svids(requests.clone()).await.unwrap();
            assert!(answers.iter().all(Result::is_ok));
        }
        costs.push((cpu_us(server.id()) - before) / (BATCH * BATCHES) as f64);
    }
    let (cost, floor) = (median(&mut costs), floor(&requests[0].1));
    println!("BatchNewX509SVID, batches of {BATCH}: {cost:.1} µs of server CPU an SVID");
    println!(
        "CSR check + signature: {floor:.1} µs of CPU; {:.0} % of the floor's speed\n",
        floor / cost * 100.0
    );
}

fn configuration(folder: &str, port: u16) -> String {
    format!(
        r#"server {{
            bind_address = "127.0.0.1"
            bind_port = {port}
            trust_domain = "example.org"
            data_dir = "{folder}"
            socket_path = "{folder}/server.sock"
            log_level = "WARN"
            ratelimit {{ signing = false }}
        }}
        plugins {{
            DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/datastore.sqlite3" }} }}
            KeyManager "disk" {{ plugin_data {{ keys_path = "{folder}/keys.json" }} }}
            NodeAttestor "join_token" {{ plugin_data {{ }} }}
        }}"#
    )
}

/// Joins as an agent that has as many entries as a batch.
async fn agent(local: &Channel, port: u16) -> (SvidClient, Vec<(EntryId, Vec<u8>)>) {
    let clock = Clock::system();
    let domain = TrustDomain::parse("example.org").unwrap();
    let bundle = Arc::new(BundleClient::new(local.clone()).bundle().await.unwrap());
    let bundles = BundleSet::from_iter([bundle]);
    let (writer, source) = Source::channel(&clock);
    writer.publish_anonymous(bundles.clone());
    let connector = Connector::new(&source, Policy::ids([domain.server_id()])).with_alpn(["h2"]);

    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let request = JoinTokenRequest { ttl: std::time::Duration::from_secs(60), token: None, agent_id: None };
    let token = AgentClient::new(local.clone()).create_join_token(request).await.unwrap().value;
    let evidence = NodeEvidence { kind: "join_token".to_owned(), payload: token.into_bytes() };
    let csr = CertificateRequest::create(&key, None).unwrap();
    let first = AgentClient::new(channel(&connector, port));
    let svid = first.attest_agent(evidence, csr, &mut Nothing).await.unwrap().svid;
    let node = svid.id().clone();
    let credential = X509Credential::new(svid, key, String::new()).unwrap();
    writer.publish(vec![credential], bundles).unwrap();

    let entries = EntryClient::new(local.clone());
    let mut requests = vec![];
    for n in 0..BATCH {
        let id = SpiffeId::new(&domain, &format!("/bench/{n}")).unwrap();
        let selectors = [Selector::new("unix", "uid:0").unwrap()].into_iter().collect();
        let draft = EntryDraft::new(id.clone(), node.clone(), selectors);
        let entry = entries.create_entry(None, &draft).await.unwrap().entry.id.clone();
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        requests.push((entry, CertificateRequest::create(&key, Some(&id)).unwrap()));
    }
    // The source lives as long as its writer.
    std::mem::forget(writer);
    (SvidClient::new(channel(&connector, port)), requests)
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
    Channel::from_static("http://localhost").connect_with_connector_lazy(dial)
}

/// What each SVID costs at least: reading the request, checking its proof of possession, and one signature.
fn floor(csr: &[u8]) -> f64 {
    const TIMES: usize = 2_000;
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let mut costs = vec![];
    for _ in 0..RUNS {
        let before = own_cpu_us();
        for _ in 0..TIMES {
            CertificateRequest::parse_der(csr).unwrap();
            key.sign(csr).unwrap();
        }
        costs.push((own_cpu_us() - before) / TIMES as f64);
    }
    median(&mut costs)
}

/// A join token has no challenge.
struct Nothing;

#[async_trait]
impl Responder for Nothing {
    async fn respond(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Err(Status::internal("a join token has no challenge"))
    }
}
