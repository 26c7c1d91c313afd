//! What is counted: a server and an agent in this process and on one thread, and a client that asks them.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use finial_agent::{KeysConfig, TrustBundle};
use finial_daemon::{Clock, Tasks};
use finial_identity::{
    BundleSet, CertificateRequest, EntryDraft, EntryId, KeyKind, PrivateKey, Role, Selector, SpiffeId,
    TrustDomain,
};
use finial_receive::{Endpoint, connect};
use finial_wire::JoinTokenRequest;
use finial_wire::client::{AgentClient, BundleClient, EntryClient, SvidClient, WorkloadClient};
use futures_util::StreamExt;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

use crate::agent::Agent;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Verify,
    Sign,
    Sync,
    Fetch,
}

impl Scenario {
    pub(crate) const ALL: [Self; 4] = [Self::Verify, Self::Sign, Self::Sync, Self::Fetch];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Sign => "sign",
            Self::Sync => "sync",
            Self::Fetch => "fetch",
        }
    }

    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Verify => "an X.509-SVID verified against its bundle",
            Self::Sign => "MintX509SVID, asked and answered",
            Self::Sync => "1,000 entries for an agent, from its request to the last one read",
            Self::Fetch => "FetchX509SVID on a connection that is open, asked and answered",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// How often it is done: often enough for one nonce or one hash seed not to matter.
    pub(crate) fn repeated(self) -> usize {
        match self {
            Self::Verify | Self::Sign | Self::Fetch => 50,
            Self::Sync => 5,
        }
    }
}

/// Prepares a scenario, then does it as often as it is repeated, while callgrind counts.
pub(crate) fn run(scenario: Scenario) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let domain = runtime.block_on(Domain::start());
    let mut step: Box<dyn FnMut()> = match scenario {
        Scenario::Verify => verify(&runtime, &domain),
        Scenario::Sign => sign(&runtime, &domain),
        Scenario::Sync => sync(&runtime, &domain),
        Scenario::Fetch => fetch(&runtime, &domain),
    };
    // What happens only once, such as connecting, is not counted.
    step();
    finial_counted(&mut || (0..scenario.repeated()).for_each(|_| step()));
}

/// Callgrind counts while this runs, and knows it by its name.
#[inline(never)]
fn finial_counted(work: &mut dyn FnMut()) {
    std::hint::black_box(work)();
}

/// A trust domain whose programs run whenever this thread waits for them.
struct Domain {
    tasks: Tasks,
    port: u16,
    local: Channel,
    folder: tempfile::TempDir,
}

impl Domain {
    async fn start() -> Self {
        let clock = Clock::system();
        let tasks = Tasks::new(clock.clone());
        let folder = tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").unwrap();
        let mut config = finial_server::Config::new(trust_domain(), &folder.path().join("server"));
        (config.bind_address, config.bind_port) = (Ipv4Addr::LOCALHOST.into(), 0);
        config.socket_path = folder.path().join("server.sock");
        let server = Box::pin(finial_server::build(config, &clock)).await.unwrap();
        let (port, socket) = (server.address().port(), server.socket_path().to_owned());
        let drain = tasks.drain();
        tasks.spawn("server", async move { server.run(async { drain.requested().await }).await.unwrap() });
        Self { tasks, port, local: connect(&Endpoint::Unix(socket)), folder }
    }

    /// Entries below this parent, each for another user, but the first for this one.
    async fn entries(&self, parent: &SpiffeId, count: usize) {
        let this = rustix::process::geteuid().as_raw() as usize;
        let draft = |n: usize| {
            let user = [Selector::new("unix", format!("uid:{}", this + n)).unwrap()];
            (
                None::<EntryId>,
                EntryDraft::new(id(&format!("/workload/{n}")), parent.clone(), user.into_iter().collect()),
            )
        };
        let drafts: Vec<_> = (0..count).map(draft).collect();
        EntryClient::new(self.local.clone()).create_entries(&drafts).await.unwrap();
    }

    /// An agent in this process, with one identity for this user; gives the channel to its socket.
    async fn agent(&self) -> Channel {
        let clock = Clock::system();
        let request =
            JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id: Some(id("/node")) };
        let token = AgentClient::new(self.local.clone()).create_join_token(request).await.unwrap();
        self.entries(&id("/node"), 1).await;
        let data = self.folder.path().join("agent");
        let mut config = finial_agent::Config::new(trust_domain(), "127.0.0.1", self.port, data);
        config.trust_bundle =
            TrustBundle::Given(BundleClient::new(self.local.clone()).bundle().await.unwrap());
        config.socket_path = self.folder.path().join("agent.sock");
        config.join_token = Some(token.value);
        config.keys = KeysConfig::Memory;
        let agent = Box::pin(finial_agent::build(config, &clock)).await.unwrap();
        let socket = agent.socket_path().to_owned();
        let drain = self.tasks.drain();
        self.tasks.spawn("agent", async move { agent.run(async { drain.requested().await }).await.unwrap() });
        connect(&Endpoint::Unix(socket))
    }
}

fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

fn request(path: &str) -> Vec<u8> {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    CertificateRequest::create(&key, Some(&id(path))).unwrap()
}

fn verify<'a>(runtime: &'a Runtime, domain: &Domain) -> Box<dyn FnMut() + 'a> {
    let mint = SvidClient::new(domain.local.clone());
    let svid = runtime.block_on(mint.mint_x509_svid(request("/verified"), None)).unwrap();
    let bundle = runtime.block_on(BundleClient::new(domain.local.clone()).bundle()).unwrap();
    let (bundles, now) = (BundleSet::from_iter([Arc::new(bundle)]), Clock::system().now());
    Box::new(move || drop(svid.verify(&bundles, now, Role::Client).unwrap()))
}

fn sign<'a>(runtime: &'a Runtime, domain: &Domain) -> Box<dyn FnMut() + 'a> {
    let (mint, csr) = (SvidClient::new(domain.local.clone()), request("/signed"));
    Box::new(move || drop(runtime.block_on(mint.mint_x509_svid(csr.clone(), None)).unwrap()))
}

fn sync<'a>(runtime: &'a Runtime, domain: &Domain) -> Box<dyn FnMut() + 'a> {
    let agent = runtime.block_on(Agent::join(&domain.local, domain.port));
    runtime.block_on(domain.entries(&agent.id, 1000));
    let entries = EntryClient::new(agent.channel.clone());
    Box::new(move || {
        // The agent's identity goes with it.
        let _ = &agent;
        let synced = runtime.block_on(entries.sync_authorized_entries(&HashMap::new())).unwrap();
        assert_eq!(synced.changed.len(), 1000);
    })
}

fn fetch<'a>(runtime: &'a Runtime, domain: &Domain) -> Box<dyn FnMut() + 'a> {
    let channel = runtime.block_on(domain.agent());
    let workload = WorkloadClient::new(channel);
    Box::new(move || {
        runtime.block_on(async {
            let mut answers = workload.x509_svids().await.unwrap();
            assert_eq!(answers.next().await.unwrap().unwrap().credentials.len(), 1);
        });
    })
}
