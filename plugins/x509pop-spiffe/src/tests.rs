//! Evidence from a Workload API, judged by the server's half.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use finial_attest::{NodeAttestor, X509PopAttestor, X509PopConfig, X509PopMode, node_battery};
use finial_daemon::{ClockHand, Tasks};
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId, TrustDomain};
use finial_receive::testing::{Authority, start};
use finial_store::{Bundles, Index, SqliteStore};
use finial_wire::X509Context;
use finial_wire::server::{WorkloadApi, workload_service};
use futures_util::stream::{self, BoxStream};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::Extensions;

use super::*;

const ID: &str = "spiffe://example.org/spire-exchange/host";

/// What the other agent answers; `None` leaves its callers waiting.
type Answer = Option<Result<X509Context, Status>>;

struct Host {
    endpoint: Endpoint,
    clock: Clock,
    hand: ClockHand,
    answer: Arc<Mutex<Answer>>,
    _folder: TempDir,
}

impl Host {
    /// The agent of a host, which gives this process `answer`.
    fn serve(answer: Answer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
        let (clock, hand) = Clock::manual(start());
        let answer = Arc::new(Mutex::new(answer));
        let service = workload_service(Arc::new(Api(Arc::clone(&answer))));
        Tasks::new(clock.clone()).spawn("host's agent", async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(listener).await.unwrap();
        });
        Self { endpoint: Endpoint::Unix(path), clock, hand, answer, _folder: folder }
    }

    fn evidence(&self) -> SpiffeEvidence {
        SpiffeEvidence::new(self.endpoint.clone(), self.clock.clone())
    }
}

struct Api(Arc<Mutex<Answer>>);

#[async_trait]
impl WorkloadApi for Api {
    async fn x509_svids(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<X509Context, Status>>, Status> {
        let answer = self.0.lock().unwrap().clone();
        match answer {
            Some(answer) => answer.map(|context| stream::iter([Ok(context)]).boxed()),
            None => std::future::pending().await,
        }
    }

    async fn x509_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn jwt_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: Audience,
        _: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn validate_jwt_svid(&self, _: &Extensions, _: String, _: String) -> Result<JwtSvid, Status> {
        Err(Status::unimplemented("not in these tests"))
    }
}

fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

fn context(authority: &Authority) -> X509Context {
    let credentials = vec![authority.credential(ID)];
    X509Context { credentials, bundles: authority.bundles(), trust_domain: trust_domain() }
}

/// The server's half, which trusts this authority.
async fn attestor(authority: &Authority, clock: &Clock) -> Arc<dyn NodeAttestor> {
    let store = SqliteStore::in_memory().await.unwrap();
    store.put_bundle(authority.bundle().as_ref().clone()).await.unwrap();
    let index = Index::start(Arc::new(store), clock, &Tasks::new(clock.clone())).await.unwrap();
    let mode = X509PopMode::Spiffe { svid_prefix: X509PopMode::SVID_PREFIX.to_owned() };
    let config = X509PopConfig::new(mode);
    Arc::new(X509PopAttestor::new(trust_domain(), config, &index, clock.clone()).unwrap())
}

fn causes(error: &AttestError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

#[tokio::test]
async fn battery() {
    let authority = Authority::new("example.org");
    let host = Host::serve(Some(Ok(context(&authority))));
    let attestor = attestor(&authority, &host.clock).await;
    node_battery::run(&trust_domain(), attestor, &mut host.evidence()).await;
}

#[tokio::test]
async fn svid_is_fetched_anew_for_each_attestation() {
    let authority = Authority::new("example.org");
    let host = Host::serve(Some(Ok(context(&authority))));
    let mut evidence = host.evidence();
    let before = evidence.payload().await.unwrap();
    *host.answer.lock().unwrap() = Some(Ok(context(&authority)));
    assert_ne!(evidence.payload().await.unwrap(), before);
}

#[tokio::test]
async fn process_without_an_identity_has_no_evidence() {
    let host = Host::serve(Some(Err(Status::permission_denied("no identity issued"))));
    let refused = causes(&host.evidence().payload().await.unwrap_err());
    assert!(refused.contains("gives this process no x509-svid"), "{refused}");
    assert!(refused.contains(&host.endpoint.to_string()), "{refused}");
}

#[tokio::test]
async fn agent_that_is_not_there_gives_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::Unix(folder.path().join("nobody.sock"));
    let (clock, _hand) = Clock::manual(start());
    let refused = SpiffeEvidence::new(endpoint, clock).payload().await.unwrap_err();
    assert!(matches!(refused, AttestError::Unavailable { kind: "x509pop", .. }), "{refused:?}");
}

#[tokio::test]
async fn agent_that_does_not_answer_is_not_waited_for() {
    let host = Host::serve(None);
    let mut evidence = host.evidence();
    let waiting = evidence.payload();
    let (refused, ()) = tokio::join!(waiting, async {
        host.hand.sleepers(1).await;
        host.hand.step(LIMIT);
    });
    assert!(causes(&refused.unwrap_err()).contains("gave no answer"));
}
