//! A small trust domain for tests: its authority, callers, entries and nodes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_attest::{
    AttestError, AttestedProcess, Caller, PeerPidfd, PinnedProcess, WorkloadAttestor, WorkloadAttestors,
};
use finial_daemon::{Clock, Tasks};
use finial_identity::{
    Bundle, BundleSet, Entry, EntryDraft, EntryId, Node, Role, Selector, SelectorSet, SpiffeId, TrustDomain,
    X509Authority, X509Svid,
};
use finial_store::{Entries, Index, Nodes, Snapshot, SqliteStore};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// 2027-01-15 08:00:00 UTC. SVIDs live until 2027-02-01.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// After the end of every SVID.
pub(crate) fn much_later() -> SystemTime {
    now() + Duration::from_secs(30 * 86_400)
}

pub(crate) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(crate) fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

pub(crate) fn agent(name: &str) -> SpiffeId {
    id(&format!("/spire/agent/join_token/{name}"))
}

pub(crate) fn selectors(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

pub(crate) fn draft(spiffe_id: &str, parent: &SpiffeId, texts: &[&str]) -> EntryDraft {
    EntryDraft::new(id(spiffe_id), parent.clone(), selectors(texts))
}

pub(crate) fn entry(name: &str, draft: EntryDraft) -> Entry {
    Entry::new(draft, EntryId::new(name).unwrap(), &trust_domain(), now()).unwrap()
}

/// A node whose agent has the SVID with this serial number.
pub(crate) fn node(id: &SpiffeId, serial_number: &str) -> Node {
    Node {
        id: id.clone(),
        attestation_type: "join_token".to_owned(),
        serial_number: serial_number.to_owned(),
        expires_at: much_later(),
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: String::new(),
    }
}

/// What a server holds in memory when these are in its store.
pub(crate) async fn snapshot(entries: Vec<Entry>, nodes: Vec<Node>) -> Arc<Snapshot> {
    let store = SqliteStore::in_memory().await.unwrap();
    for entry in entries {
        store.create_entry(entry).await.unwrap();
    }
    for node in nodes {
        store.create_or_replace_node(node).await.unwrap();
    }
    let (clock, _) = Clock::manual(now());
    let tasks = Tasks::new(clock.clone());
    Index::start(Arc::new(store), &clock, &tasks).await.unwrap().snapshot()
}

/// A member of this trust domain or another, who has proved it with an SVID of this serial number.
pub(crate) fn caller(id: &SpiffeId, serial_number: u64) -> Caller {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.subject_alt_names = vec![uri(id.trust_domain().id().as_str())];
    let certificate = authority.self_signed(&authority_key).unwrap();

    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.subject_alt_names = vec![uri(id.as_str())];
    leaf.serial_number = Some(serial_number.into());
    leaf.not_before = rcgen::date_time_ymd(2027, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(authority, authority_key)).unwrap();

    let mut bundle = Bundle::empty(id.trust_domain());
    bundle.x509_authorities.push(X509Authority::parse_der(certificate.der().to_vec()).unwrap());
    let bundles: BundleSet = [Arc::new(bundle)].into_iter().collect();
    let svid = X509Svid::from_chain(vec![leaf.der().clone()]).unwrap();
    Caller::spiffe(svid.verify(&bundles, now(), Role::Client).unwrap())
}

/// This process, through a Unix socket.
pub(crate) fn local() -> Caller {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    Caller::local(&ours).unwrap()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// Finds the same in every process.
#[derive(Debug)]
struct Fixed(&'static [&'static str]);

#[async_trait]
impl WorkloadAttestor for Fixed {
    fn kind(&self) -> &str {
        "unix"
    }

    async fn attest(&self, _: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        Ok(selectors(self.0).into_iter().collect())
    }
}

/// This test's own process, in which these selectors were found.
pub(crate) async fn process(found: &'static [&'static str]) -> AttestedProcess {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let pinned = Arc::new(PinnedProcess::of_peer(&ours, PeerPidfd::Preferred).unwrap());
    let attestor: Arc<dyn WorkloadAttestor> = Arc::new(Fixed(found));
    let (clock, _) = Clock::manual(now());
    WorkloadAttestors::new([attestor], Duration::from_secs(5), clock).attest(&pinned).await.unwrap()
}
