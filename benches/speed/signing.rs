//! BatchNewX509SVID over mutual TLS: the server's CPU time an SVID, beside the bare check and signature.

use std::process::Command;

use finial_identity::{CertificateRequest, EntryDraft, EntryId, KeyKind, PrivateKey, Selector, SpiffeId};
use finial_receive::{Endpoint, connect};
use finial_testkit::{Process, finial, free_port};
use finial_wire::client::{EntryClient, SvidClient};
use tonic::transport::Channel;

use crate::agent::Agent;
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
    let agent = Agent::join(&local, port).await;
    let (svids, requests) = (SvidClient::new(agent.channel.clone()), requests(&local, &agent.id).await);

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

/// The requests of an agent that has as many entries as a batch.
async fn requests(local: &Channel, node: &SpiffeId) -> Vec<(EntryId, Vec<u8>)> {
    let entries = EntryClient::new(local.clone());
    let mut requests = vec![];
    for n in 0..BATCH {
        let id = SpiffeId::parse(format!("spiffe://example.org/bench/{n}")).unwrap();
        let selectors = [Selector::new("unix", "uid:0").unwrap()].into_iter().collect();
        let draft = EntryDraft::new(id.clone(), node.clone(), selectors);
        let entry = entries.create_entry(None, &draft).await.unwrap().entry.id.clone();
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        requests.push((entry, CertificateRequest::create(&key, Some(&id)).unwrap()));
    }
    requests
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
