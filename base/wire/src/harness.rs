//! What the tests share: a server on a socket of its own, and nouns to send through it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finial_identity::{
    Audience, Bundle, Entry, EntryDraft, EntryId, JwtClaims, JwtSigningInput, JwtSvid, Node, PrivateKey,
    Selector, SpiffeId, TrustDomain, X509Authority, X509Credential, X509Svid,
};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};

use crate::server::GrpcService;

/// Serves while the test runs.
pub(crate) async fn served<T>(service: impl GrpcService, test: impl AsyncFnOnce(Channel) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let connections = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
    let server = Server::builder().add_service(service).serve_with_incoming(connections);
    let channel = Endpoint::try_from(format!("unix:{}", path.display())).unwrap().connect_lazy();
    tokio::select! {
        ended = server => panic!("the server ended: {ended:?}"),
        outcome = test(channel) => outcome,
    }
}

/// An instant in whole seconds.
pub(crate) fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(crate) fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

pub(crate) fn agent_id(name: &str) -> SpiffeId {
    id(&format!("/spire/agent/join_token/{name}"))
}

pub(crate) fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// The nth entry; IDs sort by n.
pub(crate) fn entry(n: usize) -> Entry {
    let selectors = [selector(&format!("unix:uid:{n}"))].into_iter().collect();
    let draft = EntryDraft::new(id(&format!("/workload/{n}")), agent_id("one"), selectors);
    let id = EntryId::new(format!("entry-{n:05}")).unwrap();
    Entry::new(draft, id, &trust_domain(), noon()).unwrap()
}

/// An entry with something in every field.
pub(crate) fn full_entry() -> Entry {
    let selectors = ["unix:uid:1000", "unix:gid:1000"].map(selector).into_iter().collect();
    let draft = EntryDraft {
        x509_svid_ttl: Some(Duration::from_secs(600)),
        jwt_svid_ttl: Some(Duration::from_secs(60)),
        federates_with: vec![TrustDomain::parse("other.test").unwrap()],
        admin: true,
        downstream: true,
        store_svid: true,
        expires_at: Some(noon() + Duration::from_secs(3600)),
        dns_names: vec!["db.example.org".to_owned()],
        hint: "internal".to_owned(),
        x509_svid_prefetch_disabled: true,
        jwt_svid_includes_jti: true,
        ..EntryDraft::new(id("/db"), agent_id("one"), selectors)
    };
    let mut entry = Entry::new(draft, EntryId::new("full").unwrap(), &trust_domain(), noon()).unwrap();
    entry.revision_number = 7;
    entry
}

pub(crate) fn node(name: &str) -> Node {
    Node {
        id: agent_id(name),
        attestation_type: "join_token".to_owned(),
        serial_number: "1234".to_owned(),
        expires_at: noon(),
        new_serial_number: None,
        new_expires_at: None,
        selectors: [selector("join_token:one")].into_iter().collect(),
        can_reattest: true,
        agent_version: "0.1.0".to_owned(),
    }
}

/// A trust domain's X.509 authority.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    trust_domain: TrustDomain,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let trust_domain = TrustDomain::parse(name).unwrap();
        let mut params = validity(CertificateParams::default());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(trust_domain.id().as_str())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate, trust_domain }
    }

    pub(crate) fn bundle(&self) -> Bundle {
        let authority = X509Authority::parse_der(self.certificate.to_vec()).unwrap();
        Bundle { x509_authorities: vec![authority], ..Bundle::empty(self.trust_domain.clone()) }
    }

    pub(crate) fn credential(&self, path: &str, hint: &str) -> X509Credential {
        let id = SpiffeId::new(&self.trust_domain, path).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = validity(CertificateParams::default());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.subject_alt_names = vec![uri(id.as_str())];
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let svid = X509Svid::from_chain(vec![leaf]).unwrap();
        let key = PrivateKey::from_pkcs8_der(&key.serialize_der()).unwrap();
        X509Credential::new(svid, key, hint.to_owned()).unwrap()
    }

    pub(crate) fn svid(&self, path: &str) -> X509Svid {
        self.credential(path, "").svid().clone()
    }
}

fn validity(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// A JWT-SVID signed by a key nobody knows.
pub(crate) fn jwt_svid(path: &str, audience: &[&str]) -> JwtSvid {
    let key = PrivateKey::generate(finial_identity::KeyKind::EcP256).unwrap();
    let claims = JwtClaims {
        subject: id(path),
        audience: Audience::new(audience.iter().copied()).unwrap(),
        issued_at: noon(),
        expires_at: noon() + Duration::from_secs(300),
        issuer: None,
        id: None,
    };
    let input = JwtSigningInput::new(&claims, "key-1", key.public_key().kind()).unwrap();
    let signature = key.sign(input.bytes()).unwrap();
    JwtSvid::parse_unverified(&input.finish(&signature).unwrap()).unwrap()
}

/// Shares each of them.
pub(crate) fn shared<T>(items: impl IntoIterator<Item = T>) -> Vec<Arc<T>> {
    items.into_iter().map(Arc::new).collect()
}
