//! The data folder of a SPIRE agent changes hands: our agent goes on with it, and leaves it so that SPIRE's could.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use finial_agent::NodeAttestorConfig;
use finial_attest::{NodeEvidenceSource, X509PopEvidence, X509PopFiles};
use finial_identity::{Bundle, CertificateRequest, KeyKind, PrivateKey, X509Svid};
use finial_wire::{
    NodeEvidence,
    client::{AgentClient, Responder},
};
use serde_json::{Value, json};
use tonic::Status;

use crate::reattestation::Machine;

/// What SPIRE's agent has in its folder after it has attested.
struct Spire {
    svid: X509Svid,
    bundle: Bundle,
    key: PrivateKey,
}

struct Answers<'a>(&'a mut X509PopEvidence);

#[async_trait]
impl Responder for Answers<'_> {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.respond(&challenge).await.map_err(|error| Status::cancelled(error.to_string()))
    }
}

impl Spire {
    async fn attest(machine: &Machine) -> Self {
        let mut evidence = X509PopEvidence::new(machine.files());
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let shown = NodeEvidence { kind: "x509pop".to_owned(), payload: evidence.payload().await.unwrap() };
        let csr = CertificateRequest::create(&key, None).unwrap();
        let client: AgentClient = machine.domain.agents();
        let attested = client.attest_agent(shown, csr, &mut Answers(&mut evidence)).await.unwrap();
        Self { svid: attested.svid, bundle: machine.domain.bundle().await, key }
    }

    /// Writes `agent-data.json` and `keys.json` as SPIRE 1.15 does.
    fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let data = json!({
            "svid": [base64(self.svid.to_pem().as_bytes())],
            "bundle": [base64(self.bundle.to_pem().as_bytes())],
            "reattestable": true,
            "bootstrap_use": 0,
            "bootstrap_start_time": "0001-01-01T00:00:00Z",
            "connection_attempts": 0,
        });
        let keys = json!({ "keys": { "agent-svid-A": base64(self.key.pkcs8_der()) } });
        for (name, document) in [("agent-data.json", data), ("keys.json", keys)] {
            let path = folder.join(name);
            fs::write(&path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// An attestation with these files fails.
fn nothing_to_attest_with() -> NodeAttestorConfig {
    NodeAttestorConfig::X509Pop(X509PopFiles {
        private_key_path: "/nonexistent/node.key".into(),
        certificate_path: "/nonexistent/node.pem".into(),
        intermediates_path: None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spires_data_folder_is_taken_over_without_attesting_again() {
    let machine = Machine::start().await;
    let spire = Spire::attest(&machine).await;
    let mut config = machine.agent_config().await;
    config.node_attestor = nothing_to_attest_with();
    spire.write(&config.data_dir);
    let agent = machine.domain.start_agent_with(config).await.unwrap();
    let node = machine.node().await;
    assert_eq!((node.id, node.serial_number.as_str()), (spire.svid.id().clone(), spire.svid.serial_number()));
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_leave_in_the_folder_is_still_spires() {
    let machine = Machine::start().await;
    let spire = Spire::attest(&machine).await;
    let config = machine.agent_config().await;
    spire.write(&config.data_dir);
    let agent = machine.domain.start_agent_with(config.clone()).await.unwrap();
    machine.half_a_life().await;
    agent.stop().await.unwrap();

    let data = read(&config.data_dir.join("agent-data.json"));
    let members: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    let spires =
        ["bootstrap_start_time", "bootstrap_use", "bundle", "connection_attempts", "reattestable", "svid"];
    assert_eq!(members, spires);
    let pem = BASE64_STANDARD.decode(data["svid"][0].as_str().unwrap()).unwrap();
    let svid = X509Svid::parse_pem(&pem).unwrap();
    assert_eq!(svid.serial_number(), machine.node().await.serial_number);
    // SPIRE's agent looks for the key by the SVID, in either of its two slots.
    let keys = read(&config.data_dir.join("keys.json"));
    let belongs = ["agent-svid-A", "agent-svid-B"].iter().any(|slot| {
        let key = keys["keys"][slot].as_str().map(|key| BASE64_STANDARD.decode(key).unwrap());
        key.is_some_and(|key| PrivateKey::from_pkcs8_der(&key).unwrap().public_key() == svid.public_key())
    });
    assert!(belongs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_named_and_left_alone() {
    let machine = Machine::start().await;
    let spire = Spire::attest(&machine).await;
    let config = machine.agent_config().await;
    for name in ["agent-data.json", "keys.json"] {
        spire.write(&config.data_dir);
        let path = config.data_dir.join(name);
        let torn = fs::read(&path).unwrap().split_at(40).0.to_vec();
        fs::write(&path, &torn).unwrap();
        let refused = machine.domain.start_agent_with(config.clone()).await.err().unwrap();
        assert!(format!("{refused:#}").contains(path.to_str().unwrap()), "{refused:#}");
        assert_eq!(fs::read(&path).unwrap(), torn);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folder_of_another_trust_domain_is_named_and_left_alone() {
    let machine = Machine::start().await;
    let spire = Spire::attest(&machine).await;
    let mut config = machine.agent_config().await;
    spire.write(&config.data_dir);
    config.trust_domain = "other.org".parse().unwrap();
    let before = fs::read(config.data_dir.join("agent-data.json")).unwrap();
    let refused = machine.domain.start_agent_with(config.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("is not of the trust domain other.org: use another data_dir"), "{refused}");
    assert_eq!(fs::read(config.data_dir.join("agent-data.json")).unwrap(), before);
}
