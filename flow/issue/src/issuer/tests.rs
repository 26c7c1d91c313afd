//! Whole SVIDs from grants, with everything that a server has around them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use der::Encode;
use der::asn1::{AnyRef, BitStringRef, UintRef};
use finial_attest::Caller;
use finial_authorize::{Authorizer, MintRequest, Permit};
use finial_daemon::Tasks;
use finial_identity::{
    CertificateRequest, Entry, EntryDraft, EntryId, KeyKind, Node, PrivateKey, Role, Selector, SelectorSet,
    SpiffeId,
};
use finial_store::{DataStore, Index, SqliteStore};

use super::*;
use crate::testing::House;
use crate::{AuthorityManager, IssueMeters};

const HOUR: Duration = Duration::from_hours(1);

/// A server with one agent and one entry, as far as the issuer sees it.
struct Server {
    issuer: Issuer,
    house: House,
    index: Index,
    permit: Permit,
    _tasks: Tasks,
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

fn entry_id() -> EntryId {
    EntryId::new("web").unwrap()
}

async fn server(edit: impl FnOnce(&mut EntryDraft)) -> Server {
    let house = House::new();
    let now = house.clock.now();
    let tasks = Tasks::new(house.clock.clone());
    let (bundles, journal, keys) = (house.store.clone(), house.store.clone(), house.keys.clone());
    let manager = AuthorityManager::start(
        house.config.clone(),
        keys,
        bundles,
        journal,
        IssueMeters::default(),
        &house.clock,
        &tasks,
    )
    .await
    .unwrap();
    let issuer = manager.issuer();
    let agent = id("spiffe://example.org/spire/agent/join_token/a");
    let agent_svid = {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let request = X509Request { id: &agent, dns_names: &[], subject: None, ttl: HOUR };
        issuer.now_active().x509.issue(&request, key.public_key(), now).await.unwrap()
    };
    let store: Arc<dyn DataStore> = Arc::new(SqliteStore::in_memory().await.unwrap());
    let node = Node {
        id: agent.clone(),
        attestation_type: "join_token".to_owned(),
        serial_number: agent_svid.serial_number().to_owned(),
        expires_at: agent_svid.not_after(),
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: String::new(),
    };
    store.create_or_replace_node(node).await.unwrap();
    let selectors = std::iter::once(Selector::parse("unix:uid:1000").unwrap()).collect();
    let mut draft = EntryDraft::new(id("spiffe://example.org/web"), agent, selectors);
    edit(&mut draft);
    let entry = Entry::new(draft, entry_id(), &house.config.trust_domain, now).unwrap();
    let revision = store.create_entry(entry).await.unwrap();
    let index = Index::start(store, &house.clock, &tasks).await.unwrap();
    let snapshot = index.reached(revision).await.unwrap();
    let caller = Caller::spiffe(agent_svid.verify(&house.bundles(), now, Role::Client).unwrap());
    let method = "/spire.api.server.svid.v1.SVID/BatchNewX509SVID";
    let permit =
        Authorizer::new(house.config.trust_domain.clone(), []).authorize(&caller, method, &snapshot, now);
    Server { issuer, house, index, permit: permit.unwrap(), _tasks: tasks }
}

impl Server {
    fn grant(&self) -> Grant {
        Grant::workload(&self.permit, &entry_id(), &self.index.snapshot(), self.house.clock.now()).unwrap()
    }

    async fn issue(&self, key: &PublicKey) -> Result<X509Svid, IssueError> {
        self.issuer.issue_x509(self.grant(), key).await
    }

    fn now(&self) -> SystemTime {
        self.house.clock.now()
    }
}

fn key() -> PublicKey {
    PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone()
}

#[tokio::test]
async fn rule_1_cve_2021_27098_identity_comes_from_the_entry_never_the_csr() {
    let server = server(|_| ()).await;
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..40 {
        let private = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let domain = if round % 2 == 0 { "example.org" } else { "evil.example" };
        let path: String = (0..random.usize(1..40)).map(|_| random.alphanumeric()).collect();
        let foreign = id(&format!("spiffe://{domain}/{path}"));
        let csr = CertificateRequest::create(&private, Some(&foreign)).unwrap();
        let csr = CertificateRequest::parse_der(&csr).unwrap();
        assert_eq!(csr.uri_names().len(), 1, "the request names {foreign}");
        let svid = server.issue(csr.public_key()).await.unwrap();
        assert_eq!(svid.id().as_str(), "spiffe://example.org/web");
        assert_eq!(svid.public_key(), private.public_key());
        svid.verify(&server.house.bundles(), server.now(), Role::Server).unwrap();
    }
}

#[tokio::test]
async fn entry_decides_lifetime_and_dns_names() {
    let server = server(|entry| {
        entry.x509_svid_ttl = Some(Duration::from_secs(900));
        entry.jwt_svid_ttl = Some(Duration::from_secs(77));
        entry.dns_names = vec!["web.example.org".to_owned()];
        entry.jwt_svid_includes_jti = true;
    })
    .await;
    let svid = server.issue(&key()).await.unwrap();
    assert_eq!(svid.not_after(), server.now() + Duration::from_secs(900));
    let dns_name = b"web.example.org";
    assert!(svid.leaf().windows(dns_name.len()).any(|window| window == dns_name));
    let token = server.issuer.issue_jwt(server.grant(), Audience::new(["db"]).unwrap()).await.unwrap();
    assert_eq!(token.expires_at(), server.now() + Duration::from_secs(77));
    assert!(token.claims().contains_key("jti"));
    JwtSvid::verify(token.token(), "db", &server.house.bundles(), server.now()).unwrap();
}

#[tokio::test]
async fn defaults_decide_where_the_entry_is_silent() {
    let server = server(|_| ()).await;
    assert_eq!(server.issue(&key()).await.unwrap().not_after(), server.now() + HOUR);
    let token = server.issuer.issue_jwt(server.grant(), Audience::new(["db"]).unwrap()).await.unwrap();
    assert_eq!(token.expires_at(), server.now() + Duration::from_mins(5));
    assert!(!token.claims().contains_key("jti") && !token.claims().contains_key("iss"));
}

#[tokio::test]
async fn agents_and_servers_have_their_own_lifetimes() {
    let mut server = server(|_| ()).await;
    let mut config = (*server.issuer.config).clone();
    config.agent_ttl = Some(HOUR * 3);
    server.issuer.config = Arc::new(config);
    let agent =
        server.issuer.issue_x509(Grant::agent_renewal(&server.permit).unwrap(), &key()).await.unwrap();
    assert_eq!(agent.id().as_str(), "spiffe://example.org/spire/agent/join_token/a");
    assert_eq!(agent.not_after(), server.now() + HOUR * 3);
    let own = Grant::server(&server.house.config.trust_domain);
    let own = server.issuer.issue_x509(own, &key()).await.unwrap();
    assert_eq!(own.id().as_str(), "spiffe://example.org/spire/server");
    assert_eq!(own.not_after(), server.now() + HOUR);
}

/// A public key whose private half nobody holds.
fn public_key(algorithm: &str, parameters: Option<AnyRef<'_>>, bits: &[u8]) -> PublicKey {
    let algorithm = spki::AlgorithmIdentifierRef { oid: algorithm.parse().unwrap(), parameters };
    let spki =
        spki::SubjectPublicKeyInfo { algorithm, subject_public_key: BitStringRef::from_bytes(bits).unwrap() };
    PublicKey::from_spki_der(&spki.to_der().unwrap()).unwrap()
}

fn rsa_public_key(bits: usize) -> PublicKey {
    let modulus: Vec<u8> =
        std::iter::once(0x80).chain(std::iter::repeat_n(0x55, bits / 8 - 2)).chain([1]).collect();
    let key = [UintRef::new(&modulus).unwrap(), UintRef::new(&[1, 0, 1]).unwrap()].to_der().unwrap();
    public_key("1.2.840.113549.1.1.1", Some(AnyRef::NULL), &key)
}

#[tokio::test]
async fn every_kind_of_public_key_gets_an_svid() {
    let server = server(|_| ()).await;
    let mut keys: Vec<_> = [2048, 4096, 8192].into_iter().map(rsa_public_key).collect();
    keys.extend(
        [KeyKind::EcP256, KeyKind::EcP384]
            .map(|kind| PrivateKey::generate(kind).unwrap().public_key().clone()),
    );
    keys.push(public_key("1.3.101.112", None, &[7; 32]));
    for key in keys {
        let svid = server.issue(&key).await.unwrap();
        assert_eq!(svid.public_key(), &key);
        assert!(svid.verify(&server.house.bundles(), server.now(), Role::Client).is_ok(), "{key:?}");
    }
}

impl Server {
    /// What an operator over TCP is given: an administrator of the configuration.
    async fn minted(&self, request: MintRequest) -> Grant {
        let admin = id("spiffe://example.org/admin");
        let now = self.house.clock.now();
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let wanted = X509Request { id: &admin, dns_names: &[], subject: None, ttl: HOUR };
        let svid = self.issuer.now_active().x509.issue(&wanted, key.public_key(), now).await.unwrap();
        let caller = Caller::spiffe(svid.verify(&self.house.bundles(), now, Role::Client).unwrap());
        let trust_domain = &self.house.config.trust_domain;
        let method = "/spire.api.server.svid.v1.SVID/MintX509SVID";
        let authorizer = Authorizer::new(trust_domain.clone(), [admin]);
        let permit = authorizer.authorize(&caller, method, &self.index.snapshot(), now).unwrap();
        Grant::minted(&permit, request, trust_domain).unwrap()
    }
}

#[tokio::test]
async fn minted_svid_is_what_the_operator_asked_for() {
    let server = server(|_| {}).await;
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let web = id("spiffe://example.org/minted");
    let csr = CertificateRequest::create_to_mint(&key, &web, &["web.example.org"]).unwrap();
    let csr = CertificateRequest::parse_der(&csr).unwrap();
    let ttl = Some(Duration::from_mins(10));
    let grant = server.minted(MintRequest::of_csr(&csr, ttl).unwrap()).await;
    let svid = server.issuer.issue_x509(grant, csr.public_key()).await.unwrap();
    assert_eq!(svid.id(), &web);
    assert_eq!(svid.not_after(), server.house.clock.now() + Duration::from_mins(10));
    svid.verify(&server.house.bundles(), server.house.clock.now(), Role::Server).unwrap();

    let own = CertificateRequest::create(&key, Some(&web)).unwrap();
    let request = MintRequest::of_csr(&CertificateRequest::parse_der(&own).unwrap(), None).unwrap();
    let request = MintRequest { subject: Some(common_name("somebody")), ..request };
    let svid = server.issuer.issue_x509(server.minted(request).await, csr.public_key()).await.unwrap();
    assert_eq!(svid.not_after(), server.house.clock.now() + HOUR, "the server's default");
    let leaf = svid.leaf().as_ref();
    assert!(leaf.windows(8).any(|window| window == b"somebody"), "the subject is kept");
}

/// A DER Name with nothing but a common name.
fn common_name(text: &str) -> Vec<u8> {
    use std::str::FromStr;
    x509_cert::name::Name::from_str(&format!("CN={text}")).unwrap().to_der().unwrap()
}

#[tokio::test]
async fn minted_svids_live_no_longer_than_the_authority() {
    let server = server(|_| {}).await;
    let long = Some(Duration::from_hours(24 * 365));
    let request = || MintRequest::new(id("spiffe://example.org/minted"), long);
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let svid = server.issuer.issue_x509(server.minted(request()).await, key.public_key()).await.unwrap();
    assert_eq!(svid.not_after(), server.issuer.now_active().x509.not_after());
    let audience = Audience::new(["db"]).unwrap();
    let token = server.issuer.issue_jwt(server.minted(request()).await, audience).await.unwrap();
    assert_eq!(token.expires_at(), server.issuer.now_active().jwt.not_after());
    assert!(!token.token().is_empty() && token.hint().is_empty());
}
