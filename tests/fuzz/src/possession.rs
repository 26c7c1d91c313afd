//! What the two halves of x509pop say to each other, each beside the honest other half.
//!
//! An input's first byte says which message it is: what the node presents, a certificate that the authority is made to
//! sign first, the server's challenge, or the response.

use std::cell::LazyCell;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use finial_attest::{
    AttestError, NodeAttestor, NodeAttestors, Possession, X509PopAttestor, X509PopConfig, X509PopMode,
};
use finial_daemon::{Clock, Tasks};
use finial_identity::{ForeignChain, certificates_to_pem};
use finial_store::{Index, SqliteStore};
use finial_wire::server::Dialogue;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::Status;

use crate::authority::{CERTIFICATE, KEY, LEAF, SIGNER, now, signed, trust_domain};
use crate::grpc::wait;
use crate::state::folder;

const KIND: &str = "x509pop";

thread_local! {
    static ATTESTORS: LazyCell<NodeAttestors> = LazyCell::new(attestors);
}

/// A node that holds the one SVID that the authority gave out.
pub(crate) fn holder() -> Possession {
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    Possession::new(vec![CertificateDer::from(LEAF)], &key).unwrap()
}

fn attestors() -> NodeAttestors {
    let path = folder().join("authority.pem");
    fs::write(&path, certificates_to_pem([&CertificateDer::from(CERTIFICATE)])).unwrap();
    let (clock, _) = Clock::manual(now());
    let index = wait(async {
        let tasks = Tasks::new(clock.clone());
        let store = SqliteStore::in_memory().await.unwrap();
        let index = Index::start(Arc::new(store), &clock, &tasks).await.unwrap();
        // Nothing is stored, and nothing will be.
        tasks.stop(Duration::MAX).await;
        index
    });
    let config = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths: vec![path] });
    let attestor = X509PopAttestor::new(trust_domain(), config, &index, clock).unwrap();
    NodeAttestors::new(trust_domain(), [Arc::new(attestor) as Arc<dyn NodeAttestor>])
}

/// Only who holds the key of a certificate that the authority has signed gets past the server, and an honest server
/// understands whatever an honest node answers.
pub(crate) fn x509pop(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    match first % 4 {
        0 => presented(rest, &mut Honest),
        1 => presented(&payload(&signed(rest)), &mut Honest),
        2 => challenged(rest),
        _ => answered(rest),
    }
}

fn presented(payload: &[u8], node: &mut dyn Dialogue) {
    let Ok(node) = attest(payload, node) else { return };
    let payload: serde_json::Value = serde_json::from_slice(payload).unwrap();
    let leaf = payload["certificates"][0].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let chain = ForeignChain::from_chain(vec![CertificateDer::from(leaf.unwrap())]).unwrap();
    assert_eq!(chain.public_key(), SIGNER.public_key(), "nobody else's key was proved");
    assert!(node.id().path().starts_with("/spire/agent/x509pop/"));
    assert!(node.selectors().iter().all(|selector| selector.kind() == KIND));
}

fn challenged(challenge: &[u8]) {
    let Ok(response) = holder().respond(challenge) else { return };
    assert!(response.starts_with(b"{"));
}

fn answered(response: &[u8]) {
    let outcome = attest(&holder().payload(), &mut Says(response.to_vec()));
    assert!(outcome.is_err(), "a response that does not know the challenge proves nothing");
}

fn attest(payload: &[u8], node: &mut dyn Dialogue) -> Result<finial_attest::AttestedNode, AttestError> {
    ATTESTORS.with(|attestors| wait(attestors.attest(KIND, payload, None, node)))
}

fn payload(certificate: &[u8]) -> Vec<u8> {
    format!(r#"{{"certificates":["{}"]}}"#, BASE64_STANDARD.encode(certificate)).into_bytes()
}

/// A node that holds the key.
struct Honest;

#[async_trait]
impl Dialogue for Honest {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(holder().respond(&challenge).unwrap_or_default())
    }
}

/// A node that says one thing, whatever it is asked.
struct Says(Vec<u8>);

#[async_trait]
impl Dialogue for Says {
    async fn challenge(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(self.0.clone())
    }
}
