//! Both halves of x509pop against each other, and against what does not fit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_input;
mod pki;
mod spiffe;
mod strangers;

use std::net::IpAddr;

use async_trait::async_trait;
use finial_identity::Selector;
use finial_wire::server::Dialogue;
use rcgen::SanType;
use rustls_pki_types::PrivateKeyDer;
use tonic::Status;

use self::pki::{Key, Pki, node_certificate, trust_domain};
use super::*;
use crate::{AttestError, AttestedNode, NodeAttestors, NodeEvidenceSource, node_battery};

/// The agent at the other end, which may spoil what it is asked or what it answers.
struct Agent<'a> {
    possession: &'a Possession,
    spoil: &'a (dyn Fn(&mut serde_json::Value) + Sync),
}

#[async_trait]
impl Dialogue for Agent<'_> {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        let response = self.possession.respond(&challenge).map_err(|e| Status::cancelled(e.to_string()))?;
        let mut response = serde_json::from_slice(&response).unwrap();
        (self.spoil)(&mut response);
        Ok(serde_json::to_vec(&response).unwrap())
    }
}

async fn attest(pki: &Pki, possession: &Possession) -> Result<AttestedNode, AttestError> {
    attest_from(pki, pki.config(), None, possession).await
}

async fn attest_from(
    pki: &Pki,
    config: X509PopConfig,
    address: Option<IpAddr>,
    possession: &Possession,
) -> Result<AttestedNode, AttestError> {
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(config).await]);
    let mut agent = Agent { possession, spoil: &|_| {} };
    attestors.attest(KIND, &possession.payload(), address, &mut agent).await
}

fn possession(pki: &Pki, key: &Key) -> Possession {
    let chain = vec![pki.sign(&node_certificate(), key), pki.intermediate()];
    Possession::new(chain, &PrivateKeyDer::try_from(key.pkcs8()).unwrap()).unwrap()
}

fn values(node: &AttestedNode) -> Vec<&str> {
    node.selectors().iter().map(Selector::value).collect()
}

#[tokio::test]
async fn battery() {
    let pki = Pki::new();
    let files = pki.node_files();
    let mut evidence = X509PopEvidence::new(files);
    node_battery::run(&trust_domain(), pki.attestor(pki.config()).await, &mut evidence).await;
}

#[tokio::test]
async fn every_kind_of_key_proves_itself() {
    let pki = Pki::new();
    for key in [Key::p256(), Key::p384(), Key::p521(), Key::rsa()] {
        let possession = possession(&pki, &key);
        // Numbers with leading zeros come up one time in a few hundred.
        for _ in 0..8 {
            attest(&pki, &possession).await.unwrap();
        }
    }
}

#[tokio::test]
async fn agent_is_named_by_the_fingerprint_and_may_come_again() {
    let pki = Pki::new();
    let key = Key::p256();
    let leaf = pki.sign(&node_certificate(), &key);
    let fingerprint = pki::sha1(&leaf);
    let chain = vec![leaf, pki.intermediate()];
    let possession = Possession::new(chain, &PrivateKeyDer::try_from(key.pkcs8()).unwrap()).unwrap();
    let node = attest(&pki, &possession).await.unwrap();
    assert_eq!(node.id().as_str(), format!("spiffe://example.org/spire/agent/x509pop/{fingerprint}"));
    assert!(node.can_reattest());
    let expected = [
        format!("ca:fingerprint:{}", pki::sha1(&pki.intermediate())),
        format!("ca:fingerprint:{}", pki::sha1(&pki.root())),
        "san:datacenter:us-east-1".to_owned(),
        "san:rack:7/b".to_owned(),
        "serialnumber:0a1b2c3d4e7f".to_owned(),
        "subject:cn:node 7".to_owned(),
    ];
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    assert_eq!(values(&node), sorted);
}

#[tokio::test]
async fn names_that_readers_could_take_in_two_ways_are_no_selectors() {
    let pki = Pki::new();
    let mut leaf = node_certificate();
    leaf.subject_alt_names = [
        "x509pop://example.org/escaped/a%2fb",
        "x509pop://example.org/query/a?b",
        "x509pop://example.org/nothing",
        "x509pop://other.org/rack/8",
        "https://example.org/rack/9",
        "x509pop://example.org/good/1",
        "x509pop://example.org/good/2",
    ]
    .map(|uri| SanType::URI(uri.try_into().unwrap()))
    .into();
    let key = Key::p256();
    let chain = vec![pki.sign(&leaf, &key), pki.intermediate()];
    let possession = Possession::new(chain, &PrivateKeyDer::try_from(key.pkcs8()).unwrap()).unwrap();
    let node = attest(&pki, &possession).await.unwrap();
    let names: Vec<_> = values(&node).into_iter().filter(|value| value.starts_with("san:")).collect();
    assert_eq!(names, ["san:good:2"]);
}

#[tokio::test]
async fn template_makes_the_path() {
    let pki = Pki::new();
    let possession = possession(&pki, &Key::p256());
    let table = [
        ("/x509pop/{{ .SerialNumberHex }}", Some("/x509pop/0a1b2c3d4e7f")),
        ("{{ .PluginName }}/{{ .TrustDomain }}", Some("/x509pop/example.org")),
        (
            "/x509pop/{{ .URISanSelectors.datacenter }}/{{ .URISanSelectors.rack }}",
            Some("/x509pop/us-east-1/7/b"),
        ),
        // "node 7" has a blank, which no SPIFFE ID may have.
        ("/x509pop/{{ .Subject.CommonName }}", None),
        ("/x509pop/{{ .URISanSelectors.row }}", None),
    ];
    for (template, path) in table {
        let mut config = pki.config();
        config.agent_path_template = Some(template.parse().unwrap());
        let outcome = attest_from(&pki, config, None, &possession).await;
        match path {
            Some(path) => assert_eq!(outcome.unwrap().id().path(), format!("/spire/agent{path}")),
            None => assert!(matches!(outcome, Err(AttestError::Unproven { .. })), "{template}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn address_counts_when_it_is_asked_for() {
    let pki = Pki::new();
    let possession = possession(&pki, &Key::p256());
    let mut config = pki.config();
    config.verify_client_ip = true;
    for named in ["10.0.0.7", "::ffff:10.0.0.7", "fd00::7"] {
        attest_from(&pki, config.clone(), Some(named.parse().unwrap()), &possession).await.unwrap();
    }
    for other in [Some("10.0.0.8".parse().unwrap()), None] {
        let refused = attest_from(&pki, config.clone(), other, &possession).await;
        assert!(matches!(refused, Err(AttestError::Unproven { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn authority_that_is_added_to_the_file_counts_at_once() {
    let (pki, other) = (Pki::new(), Pki::new());
    let possession = possession(&other, &Key::p256());
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(pki.config()).await]);
    let attest = async || {
        let mut agent = Agent { possession: &possession, spoil: &|_| {} };
        attestors.attest(KIND, &possession.payload(), None, &mut agent).await
    };
    assert!(attest().await.is_err());
    std::fs::write(pki.path("ca.pem"), other.root_pem()).unwrap();
    attest().await.unwrap();
    std::fs::write(pki.path("ca.pem"), "half of a certi").unwrap();
    attest().await.expect("what was read before goes on");
}

#[tokio::test]
async fn certificate_that_is_renewed_on_disk_is_shown_at_once() {
    let pki = Pki::new();
    let mut evidence = X509PopEvidence::new(pki.node_files());
    let before = evidence.payload().await.unwrap();
    pki.node_files();
    assert_ne!(evidence.payload().await.unwrap(), before);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_named() {
    let pki = Pki::new();
    let index = pki::index(&[]).await;
    let build = |config| X509PopAttestor::new(trust_domain(), config, &index, pki::clock());
    let spiffe = || X509PopConfig::new(X509PopMode::Spiffe { svid_prefix: "/spire-exchange".to_owned() });
    let none = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths: vec![] });
    let mut template = pki.config();
    template.agent_path_template = Some("/x509pop/{{ .SVIDPathTrimmed }}".parse().unwrap());
    let mut keys = pki.config();
    keys.max_rsa_key_size = 16_384;
    let prefix = X509PopConfig::new(X509PopMode::Spiffe { svid_prefix: "spire-exchange".to_owned() });
    for (config, key) in [
        (none, "ca_bundle_path"),
        (template, "agent_path_template"),
        (keys, "max_rsa_key_size"),
        (prefix, "svid_prefix"),
    ] {
        let refused = build(config).unwrap_err().to_string();
        assert!(refused.contains(key), "{refused}");
    }
    let missing = pki.path("missing.pem");
    let config = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths: vec![missing.clone()] });
    assert!(build(config).unwrap_err().to_string().contains(missing.to_str().unwrap()));
    build(spiffe()).unwrap();
}

#[test]
fn debug_hides_the_key() {
    let pki = Pki::new();
    let shown = format!("{:?}", possession(&pki, &Key::p256()));
    assert!(shown.contains("ProofKey(…)"), "{shown}");
}
