//! An agent for tests: the real wire on a real Unix socket, and answers that the test gives by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test whose agent does not come up must fail")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId};
use finial_wire::X509Context;
use finial_wire::server::{WorkloadApi, workload_service};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::service::interceptor::InterceptedService;
use tonic::{Extensions, Request, Status};

use super::start;
use crate::Endpoint;

/// The test's end of one stream: what it sends is answered, and dropping it closes the stream.
pub type Session<T> = mpsc::Sender<Result<T, Status>>;
type Sessions<T> = mpsc::Sender<Session<T>>;
type Stream<T> = BoxStream<'static, Result<T, Status>>;

/// What a call for JWT-SVIDs is answered; `None` leaves it without an answer.
pub type JwtAnswer = Option<Result<Vec<JwtSvid>, Status>>;

/// For what audience, and as whom, JWT-SVIDs were asked for.
type Asked = Arc<Mutex<Vec<(Audience, Option<SpiffeId>)>>>;

/// An agent that is being served, and everything a test needs to talk with it.
#[derive(Debug)]
pub struct FakeAgent {
    /// Where it is served.
    pub endpoint: Endpoint,
    /// Stands at [`start`] until its hand is moved.
    pub clock: Clock,
    /// Moves the clock.
    pub hand: ClockHand,
    /// What serves the agent, and has room for what is tested.
    pub tasks: Tasks,
    /// Each stream of X.509 contexts, as it is opened.
    pub x509: mpsc::Receiver<Session<X509Context>>,
    /// Each stream of JWT bundles, as it is opened.
    pub jwt_bundles: mpsc::Receiver<Session<BundleSet>>,
    /// The answer to the calls for JWT-SVIDs from now on.
    pub jwt_svids: Arc<Mutex<JwtAnswer>>,
    asked: Asked,
    headers: Arc<Mutex<Vec<Vec<String>>>>,
    _folder: TempDir,
}

impl FakeAgent {
    /// Serves on a socket of its own.
    pub fn serve() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
        let (clock, hand) = Clock::manual(start());
        let tasks = Tasks::new(clock.clone());
        let (x509_opened, x509) = mpsc::channel(8);
        let (jwt_opened, jwt_bundles) = mpsc::channel(8);
        let jwt_svids = Arc::default();
        let asked = Asked::default();
        let api =
            Api { x509_opened, jwt_opened, jwt_svids: Arc::clone(&jwt_svids), asked: Arc::clone(&asked) };
        let headers: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let seen = Arc::clone(&headers);
        let service = InterceptedService::new(workload_service(Arc::new(api)), move |request: Request<()>| {
            let values = request.metadata().get_all("workload.spiffe.io").iter();
            seen.lock().unwrap().push(values.map(|value| value.to_str().unwrap().to_owned()).collect());
            Ok(request)
        });
        tasks.spawn("fake agent", async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(listener).await.unwrap();
        });
        let endpoint = Endpoint::Unix(path);
        Self { endpoint, clock, hand, tasks, x509, jwt_bundles, jwt_svids, asked, headers, _folder: folder }
    }

    /// For what audience, and as whom, JWT-SVIDs were asked for so far.
    pub fn asked(&self) -> Vec<(Audience, Option<SpiffeId>)> {
        self.asked.lock().unwrap().clone()
    }

    /// The values of the security header of each call so far.
    pub fn headers(&self) -> Vec<Vec<String>> {
        self.headers.lock().unwrap().clone()
    }
}

struct Api {
    x509_opened: Sessions<X509Context>,
    jwt_opened: Sessions<BundleSet>,
    jwt_svids: Arc<Mutex<JwtAnswer>>,
    asked: Asked,
}

async fn open<T: Send + 'static>(opened: &Sessions<T>) -> Result<Stream<T>, Status> {
    let (session, answers) = mpsc::channel(8);
    opened.send(session).await.map_err(|_| Status::unavailable("the test has ended"))?;
    Ok(ReceiverStream::new(answers).boxed())
}

#[async_trait]
impl WorkloadApi for Api {
    async fn x509_svids(&self, _: &Extensions) -> Result<Stream<X509Context>, Status> {
        open(&self.x509_opened).await
    }

    async fn x509_bundles(&self, _: &Extensions) -> Result<Stream<BundleSet>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn jwt_bundles(&self, _: &Extensions) -> Result<Stream<BundleSet>, Status> {
        open(&self.jwt_opened).await
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        audience: Audience,
        id: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        self.asked.lock().unwrap().push((audience, id));
        let answer = self.jwt_svids.lock().unwrap().clone();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn validate_jwt_svid(&self, _: &Extensions, _: String, token: String) -> Result<JwtSvid, Status> {
        JwtSvid::parse_unverified(&token).map_err(|_| Status::invalid_argument("no token"))
    }
}
