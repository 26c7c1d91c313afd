//! What a pool keeps, and for how long.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use deadpool::managed::{PoolError, TimeoutType};
use finial_receive::testing::{Authority, SVID_TTL};
use finial_tls::TlsError;

use super::{Pool, PoolSettings, pool};
use crate::fixtures::{APP, DATABASE, FakeServer, World};
use crate::{Connector, Error, Server};

const MINUTE: Duration = Duration::from_secs(60);

async fn open(world: &World, settings: PoolSettings) -> (FakeServer, Pool) {
    let server = world.server().await;
    let connector = Connector::new(&world.source, Server::id(DATABASE.parse().unwrap()));
    let pool = pool(&connector, &server.config(), settings, &world.tasks);
    (server, pool)
}

#[tokio::test]
async fn connection_that_came_back_is_lent_again() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    for _ in 0..3 {
        pool.get().await.unwrap().simple_query("").await.unwrap();
    }
    server.sees(1).await;
    assert_eq!(pool.status().size, 1);
}

#[tokio::test]
async fn no_more_connections_than_the_most_and_waiting_has_a_limit() {
    let world = World::new();
    let settings = PoolSettings { max_size: 1, wait: Duration::from_millis(1), ..PoolSettings::default() };
    let (_server, pool) = open(&world, settings).await;
    let _lent = pool.get().await.unwrap();
    assert!(matches!(pool.get().await, Err(PoolError::Timeout(TimeoutType::Wait))));
}

#[tokio::test]
async fn idle_connections_are_retired_before_their_svid_expires() {
    let world = World::new();
    let settings = PoolSettings { retire_before: 5 * MINUTE, ..PoolSettings::default() };
    let (server, pool) = open(&world, settings).await;
    drop((pool.get().await.unwrap(), pool.get().await.unwrap()));
    world.hand.step(SVID_TTL - 12 * MINUTE);
    world.renew();
    drop(pool.get().await.unwrap());
    server.sees(2).await;
    world.hand.step(8 * MINUTE);
    server.sees(0).await;
    assert_eq!(pool.status().size, 0);
    drop(pool.get().await.unwrap());
    server.sees(1).await;
}

#[tokio::test]
async fn lent_connection_is_retired_when_it_comes_back() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    let client = pool.get().await.unwrap();
    world.hand.step(SVID_TTL - 3 * MINUTE);
    world.renew();
    client.simple_query("").await.unwrap();
    drop(client);
    server.sees(0).await;
    assert_eq!(pool.status().size, 0);
}

#[tokio::test]
async fn connection_is_retired_before_the_servers_certificate_expires() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    world.hand.step(30 * MINUTE);
    world.renew();
    drop(pool.get().await.unwrap());
    server.sees(1).await;
    // Ours is good for half an hour more.
    world.hand.step(26 * MINUTE);
    server.sees(0).await;
}

#[tokio::test]
async fn connection_with_an_svid_that_has_little_left_is_of_use_for_half_of_that() {
    let world = World::new();
    world.hand.step(SVID_TTL - 4 * MINUTE);
    let (server, pool) = open(&world, PoolSettings::default()).await;
    for _ in 0..2 {
        drop(pool.get().await.unwrap());
        server.sees(1).await;
    }
    world.hand.step(2 * MINUTE);
    server.sees(0).await;
}

#[tokio::test]
async fn newer_svid_renews_connections_only_if_that_was_asked_for() {
    for (renew_after, left) in [(None, 1), (Some(10 * MINUTE), 0)] {
        let world = World::new();
        let (server, pool) = open(&world, PoolSettings { renew_after, ..PoolSettings::default() }).await;
        let first = pool.get().await.unwrap();
        let serial_number = first.svid().unwrap().serial_number().to_owned();
        drop(first);
        world.renew();
        // Not at once, so that not all of a service connect anew when the agent renews.
        tokio::task::yield_now().await;
        assert_eq!(pool.get().await.unwrap().svid().unwrap().serial_number(), serial_number);
        world.hand.step(11 * MINUTE);
        server.sees(left).await;
        let is_same = pool.get().await.unwrap().svid().unwrap().serial_number() == serial_number;
        assert_eq!(is_same, renew_after.is_none());
    }
}

#[tokio::test]
async fn rule_5_pool_is_empty_when_the_servers_authority_leaves_the_bundle() {
    let (world, next) = (World::new(), Authority::new("example.org"));
    let (server, pool) = open(&world, PoolSettings::default()).await;
    let lent = pool.get().await.unwrap();
    drop(pool.get().await.unwrap());
    world.writer.publish(vec![next.credential(APP)], next.bundles()).unwrap();
    server.sees(0).await;
    assert!(lent.simple_query("").await.unwrap_err().is_closed());
    drop(lent);
    assert!(matches!(pool.get().await, Err(PoolError::Backend(Error::Tls(TlsError::Untrusted(_))))));
    assert_eq!(pool.status().size, 0);
}

#[tokio::test]
async fn rule_5_pool_is_empty_when_our_identity_is_withdrawn_and_recovers_with_it() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    let lent = pool.get().await.unwrap();
    drop(pool.get().await.unwrap());
    world.writer.withdraw("the entry was deleted");
    server.sees(0).await;
    drop(lent);
    assert!(matches!(pool.get().await, Err(PoolError::Backend(Error::Tls(TlsError::NotLive(_))))));
    assert_eq!(pool.status().size, 0);
    world.renew();
    pool.get().await.unwrap().simple_query("").await.unwrap();
}

#[tokio::test]
async fn last_clone_of_a_pool_closes_its_connections_and_ends_its_keeper() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    drop(pool.get().await.unwrap());
    server.sees(1).await;
    drop(pool);
    server.sees(0).await;
}

#[tokio::test]
async fn pool_is_closed_when_the_program_ends() {
    let world = World::new();
    let (server, pool) = open(&world, PoolSettings::default()).await;
    drop(pool.get().await.unwrap());
    server.sees(1).await;
    world.tasks.drain().request();
    server.sees(0).await;
    assert!(matches!(pool.get().await, Err(PoolError::Closed)));
}

#[tokio::test]
async fn rule_10_debug_hides_password_and_key() {
    let world = World::new();
    let server = world.server().await;
    let connector = Connector::new(&world.source, Server::id(DATABASE.parse().unwrap()));
    let pool = pool(&connector, server.config().password("sesame"), PoolSettings::default(), &world.tasks);
    let text = format!("{pool:?} {:?}", pool.get().await.unwrap());
    assert!(text.contains("app") && !text.contains("sesame"), "{text}");
    assert!(!text.contains("PRIVATE"), "{text}");
}
