//! Who is connected to, who is not, and how.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_receive::testing::Authority;
use finial_receive::{NotLive, WebIdentity, WebSource};
use finial_tls::{Fallen, Policy, TlsError};
use tokio::net::TcpListener;
use tokio_postgres::config::{SslMode, SslNegotiation};

use super::Connector;
use crate::fixtures::{APP, Behaviour, DATABASE, World};
use crate::{Error, Server};

fn by_id(world: &World) -> Connector {
    Connector::new(&world.source, Server::id(DATABASE.parse().unwrap()))
}

#[tokio::test]
async fn server_is_known_by_its_id_by_a_policy_by_its_host_and_by_roots_of_another_pki() {
    let world = World::new();
    let roots = WebIdentity::new(None, world.authority.bundle().x509_authorities.clone(), world.clock.now());
    let (_writer, roots) = WebSource::channel(roots, &world.clock);
    for server in [
        Server::id(DATABASE.parse().unwrap()),
        Server::permitted_by(Policy::members_of("example.org".parse().unwrap())),
        Server::by_host(),
        Server::by_host_with_roots(&roots),
    ] {
        let connector = Connector::new(&world.source, server.clone());
        let connected = connector.connect(&world.server().await.config()).await;
        assert!(connected.is_ok(), "{server}: {:?}", connected.err());
    }
}

#[tokio::test]
async fn wrong_server_is_refused_with_who_it_is_and_who_was_wanted() {
    let world = World::new();
    let server = world.server().await;
    let mut elsewhere = server.config();
    elsewhere = {
        let mut config = tokio_postgres::Config::new();
        config.host("other.test").hostaddr([127, 0, 0, 1].into()).port(elsewhere.get_ports()[0]).user("app");
        config
    };
    for (wanted, config, text) in [
        (
            Server::id("spiffe://example.org/other".parse().unwrap()),
            server.config(),
            "the server is spiffe://example.org/database; wanted is spiffe://example.org/other",
        ),
        (
            Server::by_host(),
            elsewhere,
            "the server is spiffe://example.org/database, with the DNS names db.test; wanted is other.test of our own \
             trust domain",
        ),
    ] {
        let refusal = Connector::new(&world.source, wanted).connect(&config).await.err().unwrap();
        assert!(matches!(refusal, Error::WrongServer { .. }), "{refusal:?}");
        assert_eq!(refusal.to_string(), text);
    }
}

#[tokio::test]
async fn server_of_another_authority_is_refused() {
    let (world, other) = (World::new(), Authority::new("example.org"));
    let server = world.server().await;
    world.writer.publish(vec![other.credential(APP)], other.bundles()).unwrap();
    let refusal = by_id(&world).connect(&server.config()).await.err().unwrap();
    assert!(matches!(refusal, Error::Tls(TlsError::Untrusted(_))), "{refusal:?}");
}

#[tokio::test]
async fn without_an_identity_there_is_no_connection() {
    let world = World::new();
    world.writer.withdraw("the entry was deleted");
    let refusal = by_id(&world).connect(&world.server().await.config()).await.err().unwrap();
    assert!(matches!(refusal, Error::Tls(TlsError::NotLive(NotLive::Withdrawn(_)))), "{refusal:?}");
}

#[tokio::test]
async fn nothing_is_said_without_tls() {
    let world = World::new();
    let server = world.server_that(Behaviour { tls: Some(b'N'), ..Behaviour::default() }).await;
    for mode in [SslMode::Prefer, SslMode::Require] {
        let refusal = by_id(&world).connect(server.config().ssl_mode(mode)).await.err().unwrap();
        assert!(matches!(refusal, Error::ServerWithoutTls(_)), "{refusal:?}");
    }
    let refusal = by_id(&world).connect(server.config().ssl_mode(SslMode::Disable)).await.err().unwrap();
    assert!(matches!(refusal, Error::WithoutTls), "{refusal:?}");
    let refusal =
        by_id(&world).connect(&"host=/run/postgresql user=app".parse().unwrap()).await.err().unwrap();
    assert!(matches!(refusal, Error::UnixSocket(_)), "{refusal:?}");
}

#[tokio::test]
async fn address_alone_is_enough_where_the_server_is_known_by_its_id() {
    let world = World::new();
    let port = world.server().await.config().get_ports()[0];
    let config = format!("hostaddr=127.0.0.1 port={port} user=app").parse().unwrap();
    assert!(by_id(&world).connect(&config).await.is_ok());
    let refusal = Connector::new(&world.source, Server::by_host()).connect(&config).await.err().unwrap();
    assert!(matches!(refusal, Error::WrongServer { .. }), "{refusal:?}");
}

#[tokio::test]
async fn direct_tls_needs_a_server_that_agrees_to_speak_postgresql() {
    let world = World::new();
    for (agrees_on_protocol, is_connected) in [(true, true), (false, false)] {
        let server = world.server_that(Behaviour { tls: None, agrees_on_protocol, refusal: None }).await;
        let mut config = server.config();
        let connected = by_id(&world).connect(config.ssl_negotiation(SslNegotiation::Direct)).await;
        assert_eq!(connected.is_ok(), is_connected);
        if let Err(refusal) = connected {
            assert!(matches!(refusal, Error::NotPostgres), "{refusal:?}");
        }
    }
}

#[tokio::test]
async fn server_that_says_nothing_is_waited_for_with_a_limit() {
    let world = World::new();
    // The kernel accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = format!("hostaddr=127.0.0.1 port={port} user=app").parse().unwrap();
    let connector = by_id(&world).with_limit(Duration::from_secs(5));
    let step = async {
        world.hand.sleepers(1).await;
        world.hand.step(Duration::from_secs(5));
    };
    let (connected, ()) = tokio::join!(connector.connect(&config), step);
    assert!(matches!(connected.err().unwrap(), Error::TooSlow(_)));
}

#[tokio::test]
async fn rule_5_connection_ends_when_its_trust_goes_and_says_why() {
    let (world, next) = (World::new(), Authority::new("example.org"));
    let server = world.server().await;
    for withdrawn in [false, true] {
        let (client, connection) = by_id(&world).connect(&server.config()).await.unwrap();
        let remove = async {
            if withdrawn {
                world.writer.withdraw("the entry was deleted");
            } else {
                world.writer.publish(vec![next.credential(APP)], next.bundles()).unwrap();
            }
        };
        let (ended, ()) = tokio::join!(connection, remove);
        let ended = ended.unwrap_err();
        let io: &std::io::Error = std::error::Error::source(&ended).unwrap().downcast_ref().unwrap();
        let fallen = io.get_ref().unwrap().downcast_ref().unwrap();
        assert!(
            matches!((withdrawn, fallen), (false, Fallen::Peer { .. }) | (true, Fallen::Own(_))),
            "{fallen}"
        );
        assert!(client.is_closed());
        world.renew();
    }
}

#[tokio::test]
async fn each_connection_presents_the_newest_svid() {
    let world = World::new();
    let (server, connector) = (world.server().await, by_id(&world));
    let serial_number = |opened: &super::Opened| {
        opened.established.as_ref().unwrap().credential.as_ref().unwrap().svid().serial_number().to_owned()
    };
    let first = connector.open(&server.config()).await.unwrap();
    world.renew();
    let second = connector.open(&server.config()).await.unwrap();
    assert_ne!(serial_number(&first), serial_number(&second));
}
