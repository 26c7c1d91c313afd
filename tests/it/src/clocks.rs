//! The clocks of agent and server differ by five minutes, from the start or because one of them is set: all goes on.

use std::time::{Duration, SystemTime};

use finial_agent::Config as AgentConfig;
use finial_daemon::{Clock, ClockHand};
use finial_identity::{Audience, X509Svid};
use finial_wire::AgentFilter;
use futures_util::StreamExt;

use crate::domain::{Domain, QUESTIONS, Running};

const MINUTE: Duration = Duration::from_secs(60);
const SKEW: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug)]
enum Side {
    Ahead,
    Behind,
}

impl Side {
    fn of(self, time: SystemTime) -> SystemTime {
        match self {
            Self::Ahead => time + SKEW,
            Self::Behind => time - SKEW,
        }
    }
}

/// A domain whose server and agent have clocks of their own.
struct Story {
    domain: Domain,
    agent_clock: Clock,
    hands: [ClockHand; 2],
}

impl Story {
    async fn begin(side: Option<Side>) -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (server_clock, server_hand) = Clock::manual(start);
        let (agent_clock, agent_hand) = Clock::manual(side.map_or(start, |side| side.of(start)));
        let domain = Domain::start(&server_clock).await;
        Self { domain, agent_clock, hands: [server_hand, agent_hand] }
    }

    async fn start_agent(&self, config: AgentConfig) -> Running {
        self.domain.start_agent_by(&self.agent_clock, config).await.unwrap()
    }

    fn step(&self, span: Duration) {
        self.hands.iter().for_each(|hand| hand.step(span));
    }

    /// Waits for `answer` while time passes for both: a twentieth of a second with each question that the server answers.
    async fn meanwhile<T>(&self, answer: impl Future<Output = T>) -> T {
        let passing = async {
            for _ in 0..QUESTIONS {
                self.step(MINUTE / 1200);
                self.domain.agents().list_agents(AgentFilter::default()).await.unwrap();
            }
        };
        tokio::select! {
            answer = answer => answer,
            () = passing => panic!("no answer after {QUESTIONS} questions"),
        }
    }

    /// Waits for the SVID with this path, and checks that it and a token can be used by both clocks.
    async fn hear(&self, path: &str) -> X509Svid {
        let wanted = self.domain.id(path);
        let arrival = async {
            loop {
                let (mut stream, mut context) = self.domain.x509_svids().await;
                loop {
                    let mut svids = context.credentials.iter().map(|credential| credential.svid());
                    if let Some(svid) = svids.find(|svid| *svid.id() == wanted) {
                        return svid.clone();
                    }
                    let Some(Ok(next)) = stream.next().await else { break };
                    context = next;
                }
            }
        };
        let svid = self.meanwhile(arrival).await;
        for now in [self.domain.clock.now(), self.agent_clock.now()] {
            assert!(svid.not_after() > now + MINUTE);
        }
        let audience = Audience::new(["db"]).unwrap();
        let tokens = self.domain.workload().jwt_svids(&audience, Some(&wanted)).await.unwrap();
        assert!(tokens[0].expires_at() > self.domain.clock.now());
        svid
    }

    /// Lets time pass until agent and workload have both renewed, which is before either SVID ends by either clock.
    async fn renew(&self, path: &str, before: &X509Svid) {
        let agent = self.domain.agents_serial_number().await;
        // Half a life, and what it is spread by.
        for _ in 0..34 {
            self.step(MINUTE);
            tokio::task::yield_now().await;
        }
        let renewed = async {
            self.domain.agents_certificate_after(&agent).await;
            let mut svid = self.hear_now(path).await;
            while svid.leaf() == before.leaf() {
                svid = self.hear_now(path).await;
            }
        };
        self.meanwhile(renewed).await;
        for now in [self.domain.clock.now(), self.agent_clock.now()] {
            assert!(before.not_after() > now, "renewed too late");
        }
    }

    async fn hear_now(&self, path: &str) -> X509Svid {
        let (_, context) = self.domain.x509_svids().await;
        let mut svids = context.credentials.iter().map(|credential| credential.svid().clone());
        svids.find(|svid| *svid.id() == self.domain.id(path)).unwrap()
    }
}

async fn an_agent_that_is_off_joins_serves_renews_and_starts_again(side: Side) {
    let story = Story::begin(Some(side)).await;
    let agent = story.start_agent(story.domain.agent_config().await).await;
    story.domain.entry_for_this_process("/web").await;
    let first = story.hear("/web").await;
    story.renew("/web", &first).await;

    agent.stop().await.unwrap();
    // Without a token: with what it has stored.
    let again = story.start_agent(story.domain.agent_config_without_token().await).await;
    story.domain.entry_for_this_process("/again").await;
    story.hear("/again").await;
    again.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_clock_is_five_minutes_behind_goes_on_serving() {
    an_agent_that_is_off_joins_serves_renews_and_starts_again(Side::Behind).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_clock_is_five_minutes_ahead_goes_on_serving() {
    an_agent_that_is_off_joins_serves_renews_and_starts_again(Side::Ahead).await;
}

/// One of the clocks is set while all is well, to one side and the other, and what it says is believed from then on.
async fn a_clock_is_set(whose: usize, side: Side) {
    let mut story = Story::begin(None).await;
    let agent = story.start_agent(story.domain.agent_config().await).await;
    story.domain.entry_for_this_process("/before").await;
    story.hear("/before").await;

    let clock = if whose == 0 { &story.domain.clock } else { &story.agent_clock };
    story.hands[whose].set(side.of(clock.now()));
    story.domain.entry_for_this_process("/after").await;
    story.hear("/after").await;
    // Every connection is made anew after the jump.
    story.domain.stop_server().await;
    story.domain.start_server().await;
    story.domain.entry_for_this_process("/later").await;
    let svid = story.hear("/later").await;
    story.renew("/later", &svid).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_clock_may_be_set_five_minutes_either_way() {
    a_clock_is_set(0, Side::Ahead).await;
    a_clock_is_set(0, Side::Behind).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_clock_may_be_set_five_minutes_either_way() {
    a_clock_is_set(1, Side::Ahead).await;
    a_clock_is_set(1, Side::Behind).await;
}
