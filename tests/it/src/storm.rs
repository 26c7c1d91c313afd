//! A partition that heals when all that a fleet holds is due: every agent finds its server again, has everything renewed
//! before it expires, and learns what it missed.
//!
//! The fleet is small in `make test`; `make soak` runs the same story with two thousand agents of fifty SVIDs each. The
//! server is a process of its own, in a control group of 512 MiB where those may be made (as root); its peak is looked at
//! in any case. Its clock is the machine's, and the agents' runs ahead of it by the partition: what it signs then ends that
//! much sooner for them, and what is short-lived has five minutes to live.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_agent::{Config, KeysConfig, TrustBundle};
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Bundle, EntryDraft, Selector, SpiffeId, TrustDomain};
use finial_receive::Endpoint;
use finial_testkit::{MemoryGroup, Pair, Process, skip};
use finial_wire::client::{AgentClient, EntryClient, WorkloadClient};
use finial_wire::{JoinToken, JoinTokenRequest, X509Context};
use futures_util::{StreamExt, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::Code;
use tonic::transport::Channel;

/// How many agents: (in `make test`, in `make soak`).
const FLEET: (usize, usize) = (40, 2_000);
/// SVIDs of each, of which a tenth is for a shorter time than the others: (in `make test`, in `make soak`).
const SVIDS: (usize, usize) = (10, 50);
/// How long they live, and how long the partition lasts for the agents: their clocks are moved. What is short-lived is
/// nearly gone then, and the rest is due, as are the agents' own.
const LIFE: Duration = Duration::from_secs(60 * 60);
const SHORT_LIFE: Duration = Duration::from_secs(40 * 60);
const PARTITION: Duration = Duration::from_secs(35 * 60);
/// How many are being asked, or started, at a time.
const AT_ONCE: usize = 32;
/// How long anything may take that all agents must come to.
const PATIENCE: Duration = Duration::from_secs(300);
/// The most memory a server may have used for the whole fleet, in MiB.
const SERVER_MEMORY: u64 = 512;
/// How finely the agents' time passes.
const TICK: Duration = Duration::from_millis(50);

fn at((short, soak): (usize, usize)) -> usize {
    if std::env::var_os("FINIAL_SOAK").is_some() { soak } else { short }
}

fn fleet() -> usize {
    at(FLEET)
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
    // Before its group, which goes when it is empty.
    server: Process,
    _group: Option<MemoryGroup>,
    relay: Relay,
    tasks: Tasks,
    clock: Clock,
    /// The clock of all agents.
    agents: (Clock, ClockHand),
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
        let group = MemoryGroup::around(&server, SERVER_MEMORY << 20);
        if group.is_none() {
            skip("memory control group", false, "only root may make one: the peak is looked at instead");
        }
        let relay = Relay::start(pair.port(), &tasks).await;
        let trust_domain = TrustDomain::parse("example.org").unwrap();
        let agents = Clock::manual(clock.now());
        let (passing, hand) = (clock.clone(), agents.1.clone());
        tasks.spawn("agents' time", async move {
            loop {
                let before = passing.monotonic();
                passing.sleep(TICK).await;
                hand.step(passing.monotonic() - before);
            }
        });
        Self { pair, server, _group: group, relay, tasks, clock, agents, trust_domain }
    }

    fn id(&self, path: &str) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, path).unwrap()
    }

    fn channel(&self, socket: &str) -> Channel {
        finial_receive::connect(&Endpoint::Unix(PathBuf::from(self.pair.path(socket))))
    }

    /// Joins one agent, whose socket is then `<number>.sock`.
    async fn agent(&self, number: usize, bundle: &Bundle) {
        let token = self.token().await;
        let data = self.pair.path(&format!("agent-{number}"));
        let mut config = Config::new(self.trust_domain.clone(), "127.0.0.1", self.relay.port, data);
        config.trust_bundle = TrustBundle::Given(bundle.clone());
        config.socket_path = self.pair.path(&format!("{number}.sock")).into();
        config.join_token = Some(token.value);
        config.keys = KeysConfig::Memory;
        let app = Box::pin(finial_agent::build(config, &self.agents.0)).await.unwrap();
        let drain = self.tasks.drain();
        self.tasks.spawn("agent", async move {
            app.run(async { drain.requested().await }).await.unwrap();
        });
    }

    /// A server whose hands are full may say that it stored a token and cannot show it yet: then another one.
    async fn token(&self) -> JoinToken {
        let (ttl, agent_id) = (Duration::from_secs(600), Some(self.id("/node")));
        let request = JoinTokenRequest { ttl, token: None, agent_id };
        let client = AgentClient::new(self.channel("server.sock"));
        for _ in 0..10 {
            match client.create_join_token(request.clone()).await {
                Err(status) if status.code() == Code::DeadlineExceeded => {}
                token => return token.unwrap(),
            }
        }
        panic!("the server makes no token");
    }

    async fn entry(&self, path: &str, life: Duration) {
        let user = Selector::new("unix", format!("uid:{}", rustix::process::geteuid().as_raw())).unwrap();
        let mut draft = EntryDraft::new(self.id(path), self.id("/node"), [user].into_iter().collect());
        draft.x509_svid_ttl = Some(life);
        EntryClient::new(self.channel("server.sock")).create_entry(None, &draft).await.unwrap();
    }

    /// Waits until each agent serves what is `wanted`.
    async fn all_serve(&self, wanted: impl Fn(&X509Context) -> bool) -> Served {
        let wanted = &wanted;
        let waiting = (0..fleet()).map(|number| {
            let channel = self.channel(&format!("{number}.sock"));
            async move {
                let mut ends = None;
                loop {
                    let stream = WorkloadClient::new(channel.clone()).x509_svids().await;
                    let Ok(mut stream) = stream else {
                        // No identity yet: asking at once would cost the processors that the fleet needs.
                        self.clock.sleep(TICK).await;
                        continue;
                    };
                    while let Some(Ok(context)) = stream.next().await {
                        if wanted(&context) {
                            let left = ends.unwrap_or_else(|| soonest_end(&context));
                            let left = left.duration_since(self.agents.0.now());
                            return (left.expect("nothing has expired"), serials(&context).collect());
                        }
                        ends = Some(soonest_end(&context));
                    }
                }
            }
        });
        let all = stream::iter(waiting).buffer_unordered(fleet()).collect::<Vec<(Duration, Vec<String>)>>();
        let all = self.clock.timeout(PATIENCE, all).await.expect("every agent in time");
        let left = all.iter().map(|(left, _)| *left).min().unwrap_or_default();
        Served { left, serials: all.into_iter().flat_map(|(_, serials)| serials).collect() }
    }

    /// What the server has used at most, in MiB.
    fn peak_memory(&self) -> u64 {
        finial_testkit::memory(self.server.id()).1 / 1024
    }
}

/// What a fleet serves.
struct Served {
    /// For how long all still had what they held before.
    left: Duration,
    serials: HashSet<String>,
}

fn serials(context: &X509Context) -> impl Iterator<Item = String> {
    context.credentials.iter().map(|credential| credential.svid().serial_number().to_owned())
}

/// When the first of these SVIDs expires.
fn soonest_end(context: &X509Context) -> SystemTime {
    context.credentials.iter().map(|credential| credential.svid().not_after()).min().expect("an identity")
}

fn serves(context: &X509Context, id: &SpiffeId) -> bool {
    context.credentials.iter().any(|credential| credential.svid().id() == id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_was_parted_from_its_server_has_all_renewed_in_time_and_learns_what_it_missed() {
    finial_daemon::descriptors::raise_limit().unwrap();
    let storm = Arc::new(Storm::start().await);
    let bundle = finial_wire::client::BundleClient::new(storm.channel("server.sock")).bundle().await.unwrap();
    let svids = at(SVIDS);
    for number in 0..svids {
        let life = if number % 10 == 0 { SHORT_LIFE } else { LIFE };
        storm.entry(&format!("/before/{number}"), life).await;
    }
    stream::iter(0..fleet()).for_each_concurrent(AT_ONCE, |number| storm.agent(number, &bundle)).await;
    storm.all_serve(|context| context.credentials.len() >= svids).await;

    storm.relay.parted.send_replace(true);
    storm.entry("/meanwhile", LIFE).await;
    storm.agents.1.step(PARTITION);
    // What they held they still serve.
    let before = storm.all_serve(|context| context.credentials.len() == svids).await;
    assert!(before.left < SHORT_LIFE - PARTITION, "{:?} are left of what is about to expire", before.left);
    let missed = storm.id("/meanwhile");
    storm.relay.parted.send_replace(false);
    let healed = storm.clock.monotonic();
    // All of it, told by its serial number: a certificate ends with a whole second, so that one that was just renewed may end
    // with the one before it.
    let wanted = |context: &X509Context| {
        let is_new = serials(context).all(|serial| !before.serials.contains(&serial));
        serves(context, &missed) && context.credentials.len() > svids && is_new
    };
    let left = storm.all_serve(wanted).await.left;

    let (took, memory) = (storm.clock.monotonic() - healed, storm.peak_memory());
    assert!(memory < SERVER_MEMORY, "the server used {memory} MiB");
    println!(
        "{} agents of {svids} SVIDs: all renewed after {took:.1?}, with {left:.0?} left of the first to expire; the server \
         used {memory} MiB at most",
        fleet()
    );
    // Their time stands still now, and with it what an agent waits for when it ends.
    storm.tasks.stop(Duration::from_secs(1)).await;
}
