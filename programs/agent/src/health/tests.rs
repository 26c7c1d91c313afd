//! What an orchestrator is told of the agent, by HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::health::HealthConfig;
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{
    Audience, Bundle, Entry, EntryDraft, EntryId, JwtSvid, Selector, SpiffeId, TrustDomain, X509Svid,
};
use finial_provide::{Cache, CacheOptions, Known, Revisions, Upstream};
use finial_receive::testing::{Authority, start};
use finial_wire::client::SyncedEntries;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Status;

use super::checks;

/// A server that is away until it is told to come, and issues nothing.
struct FakeServer(Mutex<Option<SyncedEntries>>, Authority);

impl FakeServer {
    fn answers(&self, entries: SyncedEntries) {
        *self.0.lock().unwrap() = Some(entries);
    }

    fn leaves(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn away() -> Status {
        Status::unavailable("the server is away")
    }
}

#[async_trait]
impl Upstream for FakeServer {
    async fn sync_entries(&self, _: &Known) -> Result<SyncedEntries, Status> {
        self.0.lock().unwrap().clone().ok_or_else(Self::away)
    }

    async fn new_x509_svids(
        &self,
        _: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        Err(Self::away())
    }

    async fn new_jwt_svid(&self, _: &EntryId, _: &Audience) -> Result<JwtSvid, Status> {
        Err(Self::away())
    }

    async fn bundle(&self) -> Result<Bundle, Status> {
        Ok(self.1.bundle().as_ref().clone())
    }

    async fn federated_bundle(&self, _: &TrustDomain) -> Result<Bundle, Status> {
        Err(Self::away())
    }

    async fn revisions(&self) -> Result<Revisions, Status> {
        Err(Self::away())
    }
}

struct Fixture {
    server: Arc<FakeServer>,
    address: SocketAddr,
    hand: ClockHand,
    tasks: Tasks,
}

impl Fixture {
    async fn start() -> Self {
        let (clock, hand) = Clock::manual(start());
        let tasks = Tasks::new(clock.clone());
        let server = Arc::new(FakeServer(Mutex::default(), Authority::new("example.org")));
        let options = CacheOptions::new(server.1.bundle());
        let cache = Cache::start(Arc::clone(&server) as _, &options, &clock, &tasks);
        let config =
            HealthConfig { bind_address: "127.0.0.1".into(), bind_port: 0, ..HealthConfig::default() };
        let pages = config.bind().await.unwrap();
        let address = pages.address().unwrap();
        checks(&cache).serve(pages, config, &clock, &tasks);
        Self { server, address, hand, tasks }
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        format!("{} {body}", head.split(' ').nth(1).unwrap())
    }

    /// Lets time pass until the agent says this of being ready. It says that it lives all the while.
    async fn is_ready(&self, wanted: &str) {
        let mut said = String::new();
        for _ in 0..1_000 {
            assert_eq!(self.get("/live").await, "200 {\"agent\":{}}");
            said = self.get("/ready").await;
            if said == wanted {
                return;
            }
            self.hand.step(Duration::from_secs(1));
        }
        panic!("it still says {said}");
    }
}

const READY: &str = "200 {\"agent\":{}}";

fn an_entry() -> SyncedEntries {
    let id = |path| SpiffeId::parse(format!("spiffe://example.org{path}")).unwrap();
    let selectors = [Selector::parse("unix:uid:1").unwrap()].into_iter().collect();
    let draft = EntryDraft::new(id("/web"), id("/spire/agent/join_token/t"), selectors);
    let entry_id = EntryId::new("web").unwrap();
    let entry = Entry::new(draft, entry_id, &id("/web").trust_domain(), start()).unwrap();
    SyncedEntries { changed: vec![entry], ..SyncedEntries::default() }
}

#[tokio::test]
async fn agent_is_ready_once_it_has_heard_its_server() {
    let fixture = Fixture::start().await;
    let waits = "500 {\"agent\":{\"make_new_x509_err\":\"the agent has not heard its server yet\"}}";
    fixture.is_ready(waits).await;
    fixture.server.answers(SyncedEntries::default());
    fixture.is_ready(READY).await;
    assert_eq!(fixture.get("/").await.split(' ').next(), Some("404"));
    fixture.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn agent_that_cannot_give_any_identity_is_not_ready_and_lives() {
    let fixture = Fixture::start().await;
    fixture.server.answers(an_entry());
    fixture.is_ready(READY).await;
    fixture.server.leaves();
    let problem = "no identity is valid any more, and the server cannot be reached for new ones";
    fixture.is_ready(&format!("500 {{\"agent\":{{\"make_new_x509_err\":\"{problem}\"}}}}")).await;
    fixture.server.answers(an_entry());
    fixture.is_ready(READY).await;
    fixture.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn agent_that_owes_nobody_an_identity_stays_ready_without_its_server() {
    let fixture = Fixture::start().await;
    fixture.server.answers(SyncedEntries::default());
    fixture.is_ready(READY).await;
    fixture.server.leaves();
    for _ in 0..60 {
        fixture.hand.step(Duration::from_secs(5));
        assert_eq!(fixture.get("/ready").await, READY);
    }
    fixture.tasks.stop(Duration::ZERO).await;
}
