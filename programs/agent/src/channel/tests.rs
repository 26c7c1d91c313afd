//! Servers that are there, and servers that are not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod relay;
mod server;

use std::time::Duration;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::TrustDomain;
use finial_receive::testing::{Authority, start};
use finial_receive::{Source, SourceWriter};
use tokio::net::TcpListener;
use tonic::transport::Channel;

use super::{Dialer, PING_EVERY, PING_LIMIT, problem};
use crate::config::{Config, Servers};
use relay::Relay;
use server::{Server, free_port};

/// An agent that knows one authority, and servers of that authority or of another.
struct Scene {
    authority: Authority,
    writer: SourceWriter,
    source: Source,
    clock: Clock,
    hand: ClockHand,
    tasks: Tasks,
}

impl Scene {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        let authority = Authority::new("example.org");
        let (writer, source) = Source::channel(&clock);
        let agent = authority.credential("spiffe://example.org/spire/agent/a");
        writer.publish(vec![agent], authority.bundles()).unwrap();
        Self { authority, writer, source, tasks: Tasks::new(clock.clone()), clock, hand }
    }

    async fn server(&self, name: &'static str) -> Server {
        self.server_on(name, TcpListener::bind("127.0.0.1:0").await.unwrap(), &self.authority)
    }

    fn server_on(&self, name: &'static str, listener: TcpListener, authority: &Authority) -> Server {
        Server::start(name, listener, authority, &self.authority, &self.clock, &self.tasks)
    }

    /// A dialer to servers on these ports of this machine, in this order.
    fn dialer(&self, ports: &[u16]) -> Dialer {
        let list: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let servers = Servers::parse(&list.join(","), None).unwrap();
        let config = Config::with_servers(TrustDomain::parse("example.org").unwrap(), servers, "/nowhere");
        Dialer::new(&config, &self.source, &self.clock).unwrap()
    }
}

/// Which server answers on a channel.
async fn who(channel: &Channel) -> &'static str {
    server::name(channel).await.unwrap_or_else(|status| panic!("{}", problem(&status)))
}

#[tokio::test]
async fn the_second_server_serves_when_the_first_is_not_there() {
    let scene = Scene::new();
    let second = scene.server("second").await;
    let dialer = scene.dialer(&[free_port().await, second.port]);
    assert_eq!(who(&dialer.channel()).await, "second");
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_passed_over() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stranger = scene.server_on("stranger", listener, &Authority::new("example.org"));
    let second = scene.server("second").await;
    let dialer = scene.dialer(&[stranger.port, second.port]);
    assert_eq!(who(&dialer.channel()).await, "second");
    assert_eq!(*dialer.estranged().borrow(), None);
}

#[tokio::test]
async fn the_agent_stays_with_the_server_that_took_over() {
    let scene = Scene::new();
    let port = free_port().await;
    let second = scene.server("second").await;
    let dialer = scene.dialer(&[port, second.port]);
    assert_eq!(who(&dialer.channel()).await, "second");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let _first = scene.server_on("first", listener, &scene.authority);
    scene.hand.step(Duration::from_secs(600));
    assert_eq!(who(&dialer.channel()).await, "second");
}

#[tokio::test]
async fn an_open_channel_goes_over_to_the_next_server() {
    let scene = Scene::new();
    let (first, second) = (scene.server("first").await, scene.server("second").await);
    let dialer = scene.dialer(&[first.port, second.port]);
    let channel = dialer.channel();
    assert_eq!(who(&channel).await, "first");
    first.stop().await;
    assert_eq!(who(&channel).await, "second");
}

#[tokio::test]
async fn a_connection_that_the_server_ends_between_calls_costs_no_call() {
    let scene = Scene::new();
    let mut server = scene.server("only").await;
    let channel = scene.dialer(&[server.port]).channel();
    for _ in 0..10 {
        assert_eq!(who(&channel).await, "only");
        // GOAWAY, and then the end of the connection, as SPIRE's servers do after three minutes.
        let listener = server.stop().await;
        server = scene.server_on("only", listener, &scene.authority);
    }
}

#[tokio::test]
async fn servers_of_unknown_authorities_alone_estrange_the_agent_until_one_is_known() {
    let scene = Scene::new();
    let next = Authority::new("example.org");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = scene.server_on("changed", listener, &next);
    let dialer = scene.dialer(&[server.port, free_port().await]);
    let channel = dialer.channel();
    let status = server::name(&channel).await.unwrap_err();
    assert!(problem(&status).contains("does not chain to an authority"), "{}", problem(&status));
    assert_eq!(*dialer.estranged().borrow(), Some(start()));
    scene.hand.step(Duration::from_secs(60));
    server::name(&channel).await.unwrap_err();
    assert_eq!(*dialer.estranged().borrow(), Some(start()), "it began with the first failure");
    let agent = scene.authority.credential("spiffe://example.org/spire/agent/a");
    let both = [scene.authority.bundle_with(&[&next])].into_iter().collect();
    scene.writer.publish(vec![agent], both).unwrap();
    assert_eq!(who(&channel).await, "changed");
    assert_eq!(*dialer.estranged().borrow(), None);
}

#[tokio::test]
async fn a_bundle_vouches_for_a_server_of_its_authorities_alone() {
    let scene = Scene::new();
    let next = Authority::new("example.org");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = scene.server_on("changed", listener, &next);
    let dialer = scene.dialer(&[free_port().await, server.port]);
    assert!(dialer.is_vouched_for_by(&next.bundle()).await);
    assert!(!dialer.is_vouched_for_by(&Authority::new("example.org").bundle()).await);
    assert!(!scene.dialer(&[free_port().await]).is_vouched_for_by(&next.bundle()).await);
}

#[tokio::test]
async fn the_servers_of_before_are_tried_when_dns_does_not_answer() {
    let scene = Scene::new();
    let dialer = scene.dialer(&[1, 2]);
    let silence = || Err(hickory_resolver::net::NetError::Timeout);
    let error = dialer.or_listed("_spire._tcp.example.org", silence()).unwrap_err();
    assert_eq!(error.to_string(), "cannot look up the SRV records of _spire._tcp.example.org");
    let servers = dialer.order().await.unwrap();
    assert_eq!(dialer.or_listed("_spire._tcp.example.org", silence()).unwrap(), servers);
}

#[tokio::test]
async fn servers_that_are_not_there_estrange_nobody() {
    let scene = Scene::new();
    let dialer = scene.dialer(&[free_port().await]);
    let status = server::name(&dialer.channel()).await.unwrap_err();
    assert!(problem(&status).contains("cannot reach the server 127.0.0.1:"), "{}", problem(&status));
    assert_eq!(*dialer.estranged().borrow(), None);
}

#[tokio::test]
async fn a_stream_over_a_dead_network_ends_and_the_next_server_serves() {
    let scene = Scene::new();
    let (first, second) = (scene.server("first").await, scene.server("second").await);
    let mut relay = Relay::start(first.port, &scene.tasks).await;
    let mut dialer = scene.dialer(&[relay.port, second.port]);
    let quick = Duration::from_millis(50);
    dialer.endpoint = dialer.endpoint.http2_keep_alive_interval(quick).keep_alive_timeout(quick);
    let channel = dialer.channel();
    let mut stream = server::watch(&channel).await;
    stream.message().await.unwrap().expect("a first message");
    relay.cut().await;
    // The end of a stream is an error, or nothing more; what counts is that it comes without a word from the server.
    let end = stream.message().await;
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    assert_eq!(who(&channel).await, "second");
}

#[test]
fn a_dead_network_is_noticed_within_thirty_seconds() {
    assert!(PING_EVERY + PING_LIMIT <= Duration::from_secs(30));
}
