//! A partition that heals: every agent of a fleet finds its server again, and learns what it missed.
//!
//! The fleet is small in `make test`; `make soak` runs the same story with two thousand agents.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use finial_agent::{Config, KeysConfig, TrustBundle};
use finial_daemon::{Clock, Tasks};
use finial_identity::{Bundle, EntryDraft, Selector, SpiffeId, TrustDomain};
use finial_receive::Endpoint;
use finial_testkit::{Pair, Process};
use finial_wire::JoinTokenRequest;
use finial_wire::client::{AgentClient, EntryClient, WorkloadClient};
use futures_util::{StreamExt, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::transport::Channel;

/// How many agents: (in `make test`, in `make soak`).
const FLEET: (usize, usize) = (40, 2_000);
/// How many are being asked, or started, at a time.
const AT_ONCE: usize = 32;
/// The most memory a server may have used for the whole fleet, in MiB.
const SERVER_MEMORY: u64 = 512;

fn fleet() -> usize {
    if std::env::var_os("FINIAL_SOAK").is_some() { FLEET.1 } else { FLEET.0 }
}

/// Between the fleet and its server: forwards bytes, or, while the network is parted, keeps them and says nothing.
struct Relay {
    port: u16,
    parted: watch::Sender<bool>,
}

impl Relay {
    async fn start(server: u16, tasks: &Tasks) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (parted, is_parted) = watch::channel(false);
        let connections = tasks.clone();
        tasks.spawn("relay", async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut is_parted = is_parted.clone();
                connections.spawn_session("connection", async move {
                    let _ = is_parted.wait_for(|parted| !parted).await;
                    let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    forward(near, far, is_parted).await;
                });
            }
        });
        Self { port, parted }
    }
}

/// Until either side has ended, or a partition is over: what was under way then is lost, as after a long one.
async fn forward(mut near: TcpStream, mut far: TcpStream, mut is_parted: watch::Receiver<bool>) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
        _ = is_parted.wait_for(|parted| *parted) => {}
    }
    let _ = is_parted.wait_for(|parted| !parted).await;
}

struct Storm {
    pair: Pair,
    server: Process,
    relay: Relay,
    tasks: Tasks,
    clock: Clock,
    trust_domain: TrustDomain,
}

impl Storm {
    async fn start() -> Self {
        let clock = Clock::system();
        let tasks = Tasks::new(clock.clone());
        let pair = Pair::new();
        // All agents have one address here, so that a limit for each address would be one for the fleet.
        let limits = "    ratelimit { attestation = false signing = false }";
        let server =
            tokio::task::block_in_place(|| pair.server_with(limits, "NodeAttestor \"join_token\" {}"));
        let relay = Relay::start(pair.port(), &tasks).await;
        let trust_domain = TrustDomain::parse("example.org").unwrap();
        Self { pair, server, relay, tasks, clock, trust_domain }
    }

    fn id(&self, path: &str) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, path).unwrap()
    }

    fn channel(&self, socket: &str) -> Channel {
        finial_receive::connect(&Endpoint::Unix(PathBuf::from(self.pair.path(socket))))
    }

    /// Joins one agent, whose socket is then `<number>.sock`.
    async fn agent(&self, number: usize, bundle: &Bundle) {
        let agent_id = Some(self.id("/node"));
        let request = JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id };
        let token = AgentClient::new(self.channel("server.sock")).create_join_token(request).await.unwrap();
        let data = self.pair.path(&format!("agent-{number}"));
        let mut config = Config::new(self.trust_domain.clone(), "127.0.0.1", self.relay.port, data);
        config.trust_bundle = TrustBundle::Given(bundle.clone());
        config.socket_path = self.pair.path(&format!("{number}.sock")).into();
        config.join_token = Some(token.value);
        config.keys = KeysConfig::Memory;
        let app = Box::pin(finial_agent::build(config, &self.clock)).await.unwrap();
        let drain = self.tasks.drain();
        self.tasks.spawn("agent", async move {
            app.run(async { drain.requested().await }).await.unwrap();
        });
    }

    async fn entry(&self, path: &str) {
        let user = Selector::new("unix", format!("uid:{}", rustix::process::geteuid().as_raw())).unwrap();
        let draft = EntryDraft::new(self.id(path), self.id("/node"), [user].into_iter().collect());
        EntryClient::new(self.channel("server.sock")).create_entry(None, &draft).await.unwrap();
    }

    /// Waits until every agent serves this identity.
    async fn all_serve(&self, path: &str) {
        let id = self.id(path);
        let waiting = (0..fleet()).map(|number| {
            let (id, channel) = (id.clone(), self.channel(&format!("{number}.sock")));
            async move {
                loop {
                    let stream = WorkloadClient::new(channel.clone()).x509_svids().await;
                    let Ok(mut stream) = stream else {
                        // No identity yet: asking at once would cost the processors that the fleet needs.
                        self.clock.sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    while let Some(Ok(context)) = stream.next().await {
                        if context.credentials.iter().any(|credential| *credential.svid().id() == id) {
                            return;
                        }
                    }
                }
            }
        });
        let all = stream::iter(waiting).buffer_unordered(AT_ONCE).collect::<Vec<()>>();
        self.clock.timeout(Duration::from_secs(120), all).await.expect("every agent within two minutes");
    }

    /// What the server has used at most, in MiB.
    fn peak_memory(&self) -> u64 {
        finial_testkit::memory(self.server.id()).1 / 1024
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_was_parted_from_its_server_learns_what_it_missed() {
    let storm = Arc::new(Storm::start().await);
    let bundle = finial_wire::client::BundleClient::new(storm.channel("server.sock")).bundle().await.unwrap();
    stream::iter(0..fleet()).for_each_concurrent(AT_ONCE, |number| storm.agent(number, &bundle)).await;
    storm.entry("/before").await;
    storm.all_serve("/before").await;

    storm.relay.parted.send_replace(true);
    storm.entry("/meanwhile").await;
    // What they held they still serve.
    storm.all_serve("/before").await;
    storm.relay.parted.send_replace(false);
    let healed = storm.clock.monotonic();
    storm.all_serve("/meanwhile").await;

    let (took, memory) = (storm.clock.monotonic() - healed, storm.peak_memory());
    assert!(memory < SERVER_MEMORY, "the server used {memory} MiB");
    println!("{} agents: all healed after {took:.1?}, the server used {memory} MiB at most", fleet());
    storm.tasks.stop(Duration::from_secs(20)).await;
}
