//! An agent that has one workload, and gives it another SVID whenever the test says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use finial_daemon::Tasks;
use finial_identity::{
    Audience, Bundle, BundleSet, JwtSvid, PrivateKey, SpiffeId, TrustDomain, X509Authority, X509Credential,
    X509Svid,
};
use finial_wire::X509Context;
use finial_wire::server::{WorkloadApi, workload_service};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tonic::{Extensions, Status};

/// The authorities of `example.org`, of which one signs.
pub(crate) struct Authorities {
    known: Vec<X509Authority>,
    next: Option<Issuer<'static, KeyPair>>,
    active: Issuer<'static, KeyPair>,
}

impl Authorities {
    pub(crate) fn new() -> Self {
        let (authority, active) = authority(0);
        Self { known: vec![authority], next: None, active }
    }

    /// Makes another one known, which does not sign yet.
    pub(crate) fn add(&mut self) {
        let (authority, issuer) = authority(self.known.len());
        self.known.push(authority);
        self.next = Some(issuer);
    }

    /// Lets the one that was added last sign.
    pub(crate) fn activate(&mut self) {
        self.active = self.next.take().unwrap();
    }

    fn bundles(&self) -> BundleSet {
        let mut bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
        bundle.x509_authorities = self.known.clone();
        BundleSet::from_iter([Arc::new(bundle)])
    }

    fn issue(&self, id: &str) -> X509Credential {
        let mut params = params(id, "leaf");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.is_ca = IsCa::ExplicitNoCa;
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.active).unwrap();
        let svid = X509Svid::from_chain(vec![leaf.der().clone()]).unwrap();
        X509Credential::new(svid, PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap(), String::new())
            .unwrap()
    }
}

fn authority(number: usize) -> (X509Authority, Issuer<'static, KeyPair>) {
    let mut params = params("spiffe://example.org", &format!("authority {number}"));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (X509Authority::parse_der(certificate.der().to_vec()).unwrap(), Issuer::new(params, key))
}

fn params(id: &str, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params
}

/// Serves the Workload API to one workload.
pub(crate) struct Agent {
    id: &'static str,
    pub(crate) socket: PathBuf,
    current: watch::Sender<(X509Credential, BundleSet)>,
}

impl Agent {
    pub(crate) fn serve(id: &'static str, authorities: &Authorities, socket: &Path, tasks: &Tasks) -> Self {
        let current = watch::Sender::new((authorities.issue(id), authorities.bundles()));
        let service = workload_service(Arc::new(Api(current.subscribe())));
        let listener = UnixListener::bind(socket).unwrap();
        let incoming = stream::unfold(listener, async |listener| {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        tasks.spawn("agent", async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(Box::pin(incoming)).await.unwrap();
        });
        Self { id, socket: socket.to_owned(), current }
    }

    /// Hands the bundle out as it is now, beside the SVID of before.
    pub(crate) fn learn(&self, authorities: &Authorities) {
        self.current.send_modify(|(_, bundles)| *bundles = authorities.bundles());
    }

    /// Hands out a new SVID with a new key.
    pub(crate) fn rotate(&self, authorities: &Authorities) {
        self.current.send_replace((authorities.issue(self.id), authorities.bundles()));
    }

    /// Of the SVID that is handed out now.
    pub(crate) fn serial_number(&self) -> String {
        self.current.borrow().0.svid().serial_number().to_owned()
    }
}

struct Api(watch::Receiver<(X509Credential, BundleSet)>);

#[async_trait]
impl WorkloadApi for Api {
    async fn x509_svids(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<X509Context, Status>>, Status> {
        let mut current = self.0.clone();
        current.mark_changed();
        let updates = stream::unfold(current, async |mut current| {
            current.changed().await.ok()?;
            let (credential, bundles) = current.borrow_and_update().clone();
            let trust_domain = credential.svid().id().trust_domain();
            Some((Ok(X509Context { credentials: vec![credential], bundles, trust_domain }), current))
        });
        Ok(updates.boxed())
    }

    async fn x509_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn jwt_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: Audience,
        _: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn validate_jwt_svid(&self, _: &Extensions, _: String, _: String) -> Result<JwtSvid, Status> {
        Err(Status::unimplemented("not in this story"))
    }
}
