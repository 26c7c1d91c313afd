//! An agent of one workload, which gets another SVID whenever it is said so.

use std::path::Path;
use std::sync::Arc;

use finial_daemon::Tasks;
use finial_identity::{
    Audience, Bundle, BundleSet, JwtSvid, PrivateKey, SpiffeId, TrustDomain, X509Authority, X509Credential,
    X509Svid,
};
use finial_wire::X509Context;
use finial_wire::server::{WorkloadApi, workload_service};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Extensions, Status, async_trait};

type Answers<T> = Result<BoxStream<'static, Result<T, Status>>, Status>;

pub(super) struct Agent {
    issuer: Issuer<'static, KeyPair>,
    current: watch::Sender<X509Credential>,
}

impl Agent {
    pub(super) fn serve(socket: &Path, tasks: &Tasks) -> Self {
        let mut params = params("spiffe://example.org");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = X509Authority::parse_der(params.self_signed(&key).unwrap().der().to_vec()).unwrap();
        let mut bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
        bundle.x509_authorities = vec![root];
        let (issuer, bundles) = (Issuer::new(params, key), BundleSet::from_iter([Arc::new(bundle)]));
        let current = watch::Sender::new(issue(&issuer));
        let api = Api { current: current.subscribe(), bundles };
        let listener = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let serving = tonic::transport::Server::builder().add_service(workload_service(Arc::new(api)));
        tasks.spawn("agent", async move { serving.serve_with_incoming(listener).await.unwrap() });
        Self { issuer, current }
    }

    /// Hands out a new SVID with a new key.
    pub(super) fn rotate(&self) {
        self.current.send_replace(issue(&self.issuer));
    }

    /// Of the SVID that is handed out now.
    pub(super) fn chain_pem(&self) -> String {
        self.current.borrow().svid().to_pem()
    }
}

fn issue(issuer: &Issuer<'static, KeyPair>) -> X509Credential {
    let mut params = params("spiffe://example.org/helped");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.is_ca = IsCa::ExplicitNoCa;
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, issuer).unwrap();
    let svid = X509Svid::from_chain(vec![leaf.der().clone()]).unwrap();
    let key = PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap();
    X509Credential::new(svid, key, String::new()).unwrap()
}

fn params(id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params
}

struct Api {
    current: watch::Receiver<X509Credential>,
    bundles: BundleSet,
}

#[async_trait]
impl WorkloadApi for Api {
    async fn x509_svids(&self, _: &Extensions) -> Answers<X509Context> {
        let mut current = self.current.clone();
        current.mark_changed();
        let updates = stream::unfold((current, self.bundles.clone()), async |(mut current, bundles)| {
            current.changed().await.ok()?;
            let credential = current.borrow_and_update().clone();
            let trust_domain = credential.svid().id().trust_domain();
            let context =
                X509Context { credentials: vec![credential], bundles: bundles.clone(), trust_domain };
            Some((Ok(context), (current, bundles)))
        });
        Ok(updates.boxed())
    }

    async fn x509_bundles(&self, _: &Extensions) -> Answers<BundleSet> {
        Err(Status::unimplemented("not measured"))
    }

    async fn jwt_bundles(&self, _: &Extensions) -> Answers<BundleSet> {
        Err(Status::unimplemented("not measured"))
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: Audience,
        _: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn validate_jwt_svid(&self, _: &Extensions, _: String, _: String) -> Result<JwtSvid, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
