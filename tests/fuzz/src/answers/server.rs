//! What a server says to agents and operators.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{Audience, CertificateRequest, EntryId, TrustDomain, X509Svid};
use finial_wire::client::{
    AgentClient, BundleClient, ChangesClient, EntryClient, LocalAuthorityClient, Responder, SvidClient,
    server_info,
};
use finial_wire::{
    AgentFilter, EntryFilter, JoinTokenRequest, MAX_SYNCED_ENTRIES, NodeEvidence, agent_denial, denied,
    refused_until, retry_after,
};
use futures_util::{FutureExt, StreamExt};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{ANSWER, Call};
use crate::authority::{SIGNER, now};
use crate::{bundles, possession};

/// The calls whose answers have something to say. New ones go last: the corpus knows them by position.
pub(super) const CALLS: &[Call] = &[
    |channel| synchronised(channel).boxed(),
    |channel| new_x509_svids(channel).boxed(),
    |channel| new_jwt_svid(channel).boxed(),
    |channel| attested(channel).boxed(),
    |channel| renewed(channel).boxed(),
    |channel| own_bundle(channel).boxed(),
    |channel| federated_bundle(channel).boxed(),
    |channel| federated_bundles(channel).boxed(),
    |channel| changes(channel).boxed(),
    |_| refusal().boxed(),
    |channel| authorized_entries(channel).boxed(),
    |channel| lists(channel).boxed(),
    |channel| join_token(channel).boxed(),
    |channel| authorities(channel).boxed(),
    |channel| server_info(channel).map(drop).boxed(),
];

fn entry(id: &str) -> EntryId {
    EntryId::new(id).unwrap()
}

async fn synchronised(channel: Channel) {
    let known = HashMap::from([(entry("one"), (1, now())), (entry("two"), (1, now()))]);
    let Ok(synced) = EntryClient::new(channel).sync_authorized_entries(&known).await else { return };
    assert!(synced.changed.len().max(synced.unchanged.len()) <= MAX_SYNCED_ENTRIES);
    assert!(synced.unchanged.iter().all(|id| known.contains_key(id)));
}

async fn new_x509_svids(channel: Channel) {
    let csr = CertificateRequest::create(&SIGNER, None).unwrap();
    let asked = vec![(entry("one"), csr.clone()), (entry("two"), csr)];
    let Ok(outcomes) = SvidClient::new(channel).new_x509_svids(asked).await else { return };
    assert_eq!(outcomes.len(), 2, "one outcome for each that was asked for");
    outcomes.iter().flatten().for_each(check_svid);
}

async fn new_jwt_svid(channel: Channel) {
    let audience = Audience::new(["db"]).unwrap();
    drop(SvidClient::new(channel).new_jwt_svid(&entry("one"), &audience).await);
}

/// Answers every challenge as x509pop does.
struct Node;

#[async_trait]
impl Responder for Node {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        possession::holder().respond(&challenge).map_err(|error| Status::cancelled(error.to_string()))
    }
}

async fn attested(channel: Channel) {
    let payload = possession::holder().payload();
    let evidence = NodeEvidence { kind: "x509pop".to_owned(), payload };
    let csr = CertificateRequest::create(&SIGNER, None).unwrap();
    let result = AgentClient::new(channel).attest_agent(evidence, csr, &mut Node).await;
    result.iter().for_each(|result| check_svid(&result.svid));
}

async fn renewed(channel: Channel) {
    let csr = CertificateRequest::create(&SIGNER, None).unwrap();
    let svid = AgentClient::new(channel).renew_agent(csr).await;
    svid.iter().for_each(check_svid);
}

async fn own_bundle(channel: Channel) {
    let bundle = BundleClient::new(channel).bundle().await;
    bundle.iter().for_each(bundles::check);
}

async fn federated_bundle(channel: Channel) {
    let asked = TrustDomain::parse("other.test").unwrap();
    let Ok(bundle) = BundleClient::new(channel).federated_bundle(&asked).await else { return };
    assert_eq!(bundle.trust_domain, asked);
    bundles::check(&bundle);
}

async fn federated_bundles(channel: Channel) {
    let bundles = BundleClient::new(channel).federated_bundles().await;
    bundles.iter().flatten().for_each(bundles::check);
}

async fn changes(channel: Channel) {
    let Ok(revisions) = ChangesClient::new(channel).watch(0).await else { return };
    revisions.for_each(|_| async {}).await;
}

async fn authorized_entries(channel: Channel) {
    drop(EntryClient::new(channel).authorized_entries().await);
}

/// The answer is a page of one list and of another, as it comes: each list has an end.
async fn lists(channel: Channel) {
    drop(EntryClient::new(channel.clone()).list_entries(EntryFilter::default()).await);
    drop(AgentClient::new(channel).list_agents(AgentFilter::default()).await);
}

async fn join_token(channel: Channel) {
    let request = JoinTokenRequest { ttl: Duration::from_secs(1), token: None, agent_id: None };
    drop(AgentClient::new(channel).create_join_token(request).await);
}

async fn authorities(channel: Channel) {
    drop(LocalAuthorityClient::new(channel.clone()).x509_authorities().await);
    drop(LocalAuthorityClient::new(channel).jwt_authorities().await);
}

/// The answer is what travels with a refusal: what is read of it says the same when it is written again.
async fn refusal() {
    let details = ANSWER.with(|answer| answer.borrow().clone());
    let status = Status::with_details(Code::PermissionDenied, "no", details);
    if let Some(denial) = agent_denial(&status) {
        assert_eq!(agent_denial(&denied(denial, "no")), Some(denial));
    }
    if let Some(after) = retry_after(&status) {
        assert_eq!(retry_after(&refused_until(Code::Unavailable, "no", after)), Some(after));
    }
}

fn check_svid(svid: &X509Svid) {
    assert!(X509Svid::parse_der(&svid.chain_der()).is_ok_and(|again| again == *svid));
}
