//! How an agent comes to trust its server: at first, when the server is another one, and after it was away too long.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use finial_agent::{Config as AgentConfig, RebootstrapMode, Servers, TrustBundle};
use finial_daemon::{Clock, ClockHand};
use finial_receive::Endpoint;
use finial_wire::{AgentFilter, X509Context};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::domain::{Domain, Running};
use crate::reattestation::Machine;

const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> (Clock, ClockHand) {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

/// Lets minutes pass one by one, as they do.
async fn pass(hand: &ClockHand, minutes: u32) {
    for _ in 0..minutes {
        hand.step(MINUTE);
        tokio::task::yield_now().await;
    }
}

/// Asks the agent until it has an identity for this process.
async fn identity(domain: &Domain) -> X509Context {
    loop {
        if let Ok(mut stream) = domain.workload().x509_svids().await
            && let Some(Ok(context)) = stream.next().await
        {
            return context;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_joins_by_the_second_address_when_the_first_is_dead() {
    let (clock, hand) = clock();
    let domain = Domain::start(&clock).await;
    domain.entry_for_this_process("/web").await;
    let mut config = domain.agent_config().await;
    // Port 1 is privileged, and nobody listens there.
    config.servers = Servers::parse(&format!("127.0.0.1:1,127.0.0.1:{}", domain.port), None).unwrap();
    let agent = domain.start_agent_with(config).await.unwrap();
    domain.meanwhile(&hand, identity(&domain)).await;
    agent.stop().await.unwrap();
}

/// Another way to a port of this machine, until it is dropped. Returns its port.
async fn relay(domain: &Domain) -> (u16, oneshot::Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), domain.port);
    let (open, closed) = oneshot::channel::<()>();
    domain.tasks.spawn("relay", async move {
        let relaying = async {
            let mut connections = FuturesUnordered::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => connections.push(async move {
                        let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.unwrap();
                        let _ = copy_bidirectional(&mut accepted.unwrap().0, &mut far).await;
                    }),
                    Some(()) = connections.next() => {}
                }
            }
        };
        tokio::select! {
            () = relaying => {}
            _ = closed => {}
        }
    });
    (port, open)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_go_on_arriving_by_the_second_address_when_the_first_is_lost() {
    let (clock, hand) = clock();
    let domain = Domain::start(&clock).await;
    domain.entry_for_this_process("/web").await;
    let ((first, way), (second, _other_way)) = (relay(&domain).await, relay(&domain).await);
    let mut config = domain.agent_config().await;
    config.servers = Servers::parse(&format!("127.0.0.1:{first},127.0.0.1:{second}"), None).unwrap();
    let agent = domain.start_agent_with(config).await.unwrap();
    let (mut stream, _) = domain.meanwhile(&hand, domain.x509_svids()).await;

    drop(way);
    domain.entry_for_this_process("/later").await;
    let later = domain.id("/later");
    let arrival = async {
        loop {
            let context = stream.next().await.unwrap().unwrap();
            if context.credentials.iter().any(|credential| credential.svid().id() == &later) {
                return;
            }
        }
    };
    domain.meanwhile(&hand, arrival).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_joins_with_the_bundle_that_another_agent_gives_it() {
    let (clock, hand) = clock();
    let domain = Domain::start(&clock).await;
    domain.entry_for_this_process("/web").await;
    let first = domain.start_agent().await;
    domain.meanwhile(&hand, identity(&domain)).await;
    let mut config = domain.agent_config().await;
    config.trust_bundle = TrustBundle::WorkloadApi(Endpoint::Unix(domain.path("agent.sock")));
    config.socket_path = domain.path("second.sock");
    config.data_dir = domain.path("second");
    config.keys = finial_agent::KeysConfig::Memory;
    let second = domain.start_agent_with(config).await.unwrap();
    second.stop().await.unwrap();
    first.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_with_the_wrong_bundle_joins_once_the_right_one_is_there() {
    let (clock, hand) = clock();
    let (domain, other) = (Domain::start(&clock).await, Domain::start(&clock).await);
    let bundle = domain.path("bundle.pem");
    std::fs::write(&bundle, other.bundle().await.to_pem()).unwrap();
    let mut config = domain.agent_config().await;
    config.trust_bundle = TrustBundle::File(bundle.clone());
    let starting = domain.meanwhile(&hand, domain.start_agent_with(config));
    let correcting = async {
        // By then it has met the server, and has not shown its token.
        for _ in 0..300 {
            assert!(domain.agents().list_agents(AgentFilter::default()).await.unwrap().is_empty());
        }
        std::fs::write(&bundle, domain.bundle().await.to_pem()).unwrap();
    };
    let (agent, ()) = tokio::join!(starting, correcting);
    agent.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_trusts_on_first_use_keeps_to_the_server_it_met() {
    let (clock, hand) = clock();
    let mut domain = Domain::start(&clock).await;
    domain.entry_for_this_process("/web").await;
    let insecure = AgentConfig { trust_bundle: TrustBundle::Insecure, ..domain.agent_config().await };
    let agent = domain.start_agent_with(insecure.clone()).await.unwrap();
    domain.meanwhile(&hand, identity(&domain)).await;
    agent.stop().await.unwrap();
    domain.stop_server().await;

    // Somebody else, in the same place and of the same name.
    let mut impostor = Domain::start(&clock).await;
    impostor.stop_server().await;
    impostor.port = domain.port;
    impostor.start_server().await;
    let token = Some(impostor.join_token().await);
    let agent = domain.start_agent_with(AgentConfig { join_token: token, ..insecure }).await.unwrap();
    pass(&hand, 15).await;
    for _ in 0..50 {
        let agents = impostor.agents().list_agents(AgentFilter::default()).await.unwrap();
        assert!(agents.is_empty(), "the agent went over to somebody else");
    }
    agent.stop().await.unwrap();
}

/// A domain whose agent has joined and stopped, and which replaces its authorities then.
struct Absence {
    domain: Domain,
    hand: ClockHand,
    bundle: PathBuf,
    config: AgentConfig,
}

impl Absence {
    async fn begin() -> Self {
        let (clock, hand) = clock();
        let domain = Domain::start(&clock).await;
        let config = domain.agent_config().await;
        Self::of(domain, hand, config).await
    }

    async fn of(domain: Domain, hand: ClockHand, mut config: AgentConfig) -> Self {
        domain.entry_for_this_process("/web").await;
        let bundle = domain.path("bundle.pem");
        config.trust_bundle = TrustBundle::File(bundle.clone());
        config.rebootstrap_delay = MINUTE;
        let absence = Self { domain, hand, bundle, config };
        absence.publish().await;
        let agent = absence.domain.start_agent_with(absence.config.clone()).await.unwrap();
        absence.domain.meanwhile(&absence.hand, identity(&absence.domain)).await;
        agent.stop().await.unwrap();
        absence
    }

    /// The operator writes down the server's bundle as it is now.
    async fn publish(&self) {
        std::fs::write(&self.bundle, self.domain.bundle().await.to_pem()).unwrap();
    }

    async fn rotate(&self) {
        let authorities = self.domain.authorities();
        let prepared = authorities.prepare_x509().await.unwrap();
        authorities.activate_x509(prepared.id).await.unwrap();
    }

    /// The one that signed before is known no more.
    async fn revoke_old(&self) {
        let authorities = self.domain.authorities();
        let old = authorities.x509_authorities().await.unwrap().old.unwrap();
        authorities.taint_x509(old.id.clone()).await.unwrap();
        authorities.revoke_x509(old.id).await.unwrap();
    }

    async fn end(&self, mode: RebootstrapMode) -> Running {
        let config = AgentConfig { rebootstrap_mode: mode, join_token: None, ..self.config.clone() };
        self.domain.start_agent_with(config).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_missed_one_rotation_finds_back_by_itself() {
    let absence = Absence::begin().await;
    absence.rotate().await;
    absence.publish().await;
    let agent = absence.end(RebootstrapMode::Auto).await;
    absence.domain.meanwhile(&absence.hand, identity(&absence.domain)).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_bundle_costs_the_agent_nothing() {
    let absence = Absence::begin().await;
    absence.rotate().await;
    let other = Domain::start(&absence.domain.clock).await;
    std::fs::write(&absence.bundle, other.bundle().await.to_pem()).unwrap();
    let agent = absence.end(RebootstrapMode::Auto).await;
    pass(&absence.hand, 10).await;
    absence.publish().await;
    absence.domain.meanwhile(&absence.hand, identity(&absence.domain)).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_authority_has_gone_ends_with_the_command_that_brings_it_back() {
    let absence = Absence::begin().await;
    for _ in 0..2 {
        absence.rotate().await;
        absence.revoke_old().await;
    }
    absence.publish().await;
    let mut agent = absence.end(RebootstrapMode::Auto).await;
    let end = absence.domain.meanwhile(&absence.hand, agent.ended()).await.unwrap_err();
    let text = format!("{end:#}");
    assert!(text.contains("the server's authorities were replaced while this agent was away"), "{text}");
    assert!(text.contains("`finial token generate -spiffeID spiffe://example.org/"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_can_attest_again_finds_back_though_its_authority_has_gone() {
    let machine = Machine::start().await;
    let config = machine.agent_config().await;
    let absence = Absence::of(machine.domain, machine.hand, config).await;
    for _ in 0..2 {
        absence.rotate().await;
        absence.revoke_old().await;
    }
    absence.publish().await;
    let serial_number = absence.domain.agents_serial_number().await;
    let agent = absence.end(RebootstrapMode::Always).await;
    absence.domain.meanwhile(&absence.hand, identity(&absence.domain)).await;
    assert_ne!(absence.domain.agents_serial_number().await, serial_number);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_may_not_look_again_serves_until_its_svid_ends_and_says_why() {
    let absence = Absence::begin().await;
    for _ in 0..2 {
        absence.rotate().await;
        absence.revoke_old().await;
    }
    absence.publish().await;
    let mut agent = absence.end(RebootstrapMode::Never).await;
    pass(&absence.hand, 70).await;
    let end = absence.domain.meanwhile(&absence.hand, agent.ended()).await.unwrap_err();
    let text = format!("{end:#}");
    assert!(text.contains("no server of example.org can be verified"), "{text}");
    assert!(text.contains("`finial agent run -rebootstrapMode auto`"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_must_attest_again_keeps_its_token_when_it_cannot() {
    let (clock, _hand) = clock();
    let domain = Domain::start(&clock).await;
    let mut config = domain.agent_config().await;
    config.rebootstrap_mode = RebootstrapMode::Always;
    let Err(error) = domain.start_agent_with(config.clone()).await else { panic!("it started") };
    assert!(format!("{error:#}").contains("set rebootstrap_mode to auto or never"), "{error:#}");
    config.rebootstrap_mode = RebootstrapMode::Never;
    domain.start_agent_with(config).await.unwrap().stop().await.unwrap();
}
