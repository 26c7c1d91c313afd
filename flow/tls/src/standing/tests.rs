//! What closes an open connection, and what does not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::BundleSet;
use finial_receive::testing::{Authority, SVID_TTL, start};
use finial_receive::{NotLive, WebIdentity, WebSource};

use super::{Fallen, Standing};
use crate::Terms;
use crate::fixtures::{CLIENT, Pair, SERVER, party, shake};

/// The standings of both ends of one connection: the server's, the client's.
async fn connection(pair: &Pair) -> (Standing, Standing) {
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    (accepted.unwrap().standing, connected.unwrap().standing)
}

/// Fails when the standing has fallen by now.
async fn stands(standing: &mut Standing) {
    tokio::select! {
        biased;
        fallen = standing.fallen() => panic!("{fallen}"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn rule_5_a_connection_falls_on_both_sides_when_the_peers_authority_leaves_the_bundle() {
    let pair = Pair::new();
    let (mut at_server, mut at_client) = connection(&pair).await;
    stands(&mut at_server).await;
    stands(&mut at_client).await;
    let next = Authority::new("example.org");
    pair.server_writer.publish(vec![next.credential(SERVER)], next.bundles()).unwrap();
    assert!(matches!(at_server.fallen().await, Fallen::Peer { id, .. } if id.as_str() == CLIENT));
    stands(&mut at_client).await;
    pair.client_writer.publish(vec![next.credential(CLIENT)], next.bundles()).unwrap();
    assert!(matches!(at_client.fallen().await, Fallen::Peer { id, .. } if id.as_str() == SERVER));
}

#[tokio::test]
async fn rule_5_a_removal_just_after_the_handshake_is_not_missed() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    let next = Authority::new("example.org");
    pair.server_writer.publish(vec![next.credential(SERVER)], next.bundles()).unwrap();
    assert!(matches!(at_server.fallen().await, Fallen::Peer { .. }));
}

#[tokio::test]
async fn an_authority_that_joins_and_a_newer_credential_of_ours_close_nothing() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    let next = Authority::new("example.org");
    let both: BundleSet = [pair.authority.bundle_with(&[&next])].into_iter().collect();
    pair.server_writer.publish(vec![next.credential(SERVER)], both).unwrap();
    stands(&mut at_server).await;
}

#[tokio::test]
async fn a_peer_that_has_merely_expired_is_not_closed_even_when_the_bundle_changes() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    let now = start() + SVID_TTL - Duration::from_secs(60);
    pair.hand.step(SVID_TTL - Duration::from_secs(60));
    let (old, next) = (&pair.authority, Authority::new("example.org"));
    pair.server_writer.publish(vec![old.credential_at(SERVER, now)], old.bundles()).unwrap();
    pair.hand.step(Duration::from_secs(120));
    let both: BundleSet = [old.bundle_with(&[&next])].into_iter().collect();
    pair.server_writer.publish(vec![old.credential_at(SERVER, now)], both).unwrap();
    stands(&mut at_server).await;
    pair.server_writer.publish(vec![next.credential_at(SERVER, now)], next.bundles()).unwrap();
    assert!(matches!(at_server.fallen().await, Fallen::Peer { .. }));
}

#[tokio::test]
async fn a_peer_that_is_not_valid_yet_by_a_clock_that_went_back_is_not_closed_when_the_bundle_changes() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    pair.hand.set(start() - Duration::from_secs(300));
    let (old, next) = (&pair.authority, Authority::new("example.org"));
    let both: BundleSet = [old.bundle_with(&[&next])].into_iter().collect();
    pair.server_writer.publish(vec![old.credential(SERVER)], both).unwrap();
    stands(&mut at_server).await;
    pair.server_writer.publish(vec![next.credential(SERVER)], next.bundles()).unwrap();
    assert!(matches!(at_server.fallen().await, Fallen::Peer { .. }));
}

#[tokio::test]
async fn rule_5_a_connection_falls_when_our_own_identity_is_withdrawn() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    pair.server_writer.withdraw("no identity issued");
    assert!(matches!(at_server.fallen().await, Fallen::Own(NotLive::Withdrawn(_))));
}

#[tokio::test]
async fn rule_5_a_connection_falls_when_its_own_identity_is_gone_and_another_is_left() {
    let pair = Pair::new();
    let (_, mut at_client) = connection(&pair).await;
    let other = "spiffe://example.org/other";
    let bundles = pair.authority.bundles();
    let both = vec![pair.authority.credential(other), pair.authority.credential(CLIENT)];
    pair.client_writer.publish(both, bundles.clone()).unwrap();
    stands(&mut at_client).await;
    pair.client_writer.publish(vec![pair.authority.credential(other)], bundles).unwrap();
    assert!(matches!(at_client.fallen().await, Fallen::Replaced(id) if id.as_str() == CLIENT));
}

#[tokio::test]
async fn a_connection_falls_when_our_own_credential_expires_without_a_next() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    stands(&mut at_server).await;
    pair.hand.step(SVID_TTL);
    assert!(matches!(at_server.fallen().await, Fallen::Own(NotLive::Expired { .. })));
}

#[tokio::test]
async fn rule_5_a_connection_that_moves_to_another_source_lives_on_where_its_trust_holds() {
    let pair = Pair::new();
    let (mut at_server, mut at_client) = connection(&pair).await;
    let (authority, clock) = (&pair.authority, pair.server.clock());
    let both: BundleSet = [authority.bundle_with(&[&Authority::new("example.org")])].into_iter().collect();
    let (writer, server) = party(authority, SERVER, both, clock);
    assert!(at_server.move_to(&server, &Terms::default()));
    stands(&mut at_server).await;
    // The source of before counts no more.
    pair.server_writer.withdraw("no identity issued");
    stands(&mut at_server).await;
    writer.withdraw("no identity issued");
    assert!(matches!(at_server.fallen().await, Fallen::Own(NotLive::Withdrawn(_))));
    let (_writer, client) = party(authority, CLIENT, authority.bundles(), clock);
    assert!(at_client.move_to(&client, &Terms::default()));
    stands(&mut at_client).await;
}

#[tokio::test]
async fn rule_5_a_connection_that_moves_to_a_source_that_does_not_vouch_for_its_peer_falls() {
    let pair = Pair::new();
    let (mut at_server, mut at_client) = connection(&pair).await;
    let other = Authority::new("example.org");
    let (_server_writer, server) = party(&other, SERVER, other.bundles(), pair.server.clock());
    assert!(at_server.move_to(&server, &Terms::default()));
    assert!(matches!(at_server.fallen().await, Fallen::Peer { id, .. } if id.as_str() == CLIENT));
    let (_client_writer, client) = party(&other, CLIENT, other.bundles(), pair.client.clock());
    assert!(at_client.move_to(&client, &Terms::default()));
    assert!(matches!(at_client.fallen().await, Fallen::Peer { id, .. } if id.as_str() == SERVER));
}

#[tokio::test]
async fn rule_5_a_connection_that_moves_to_a_source_with_another_id_of_ours_falls() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    let (_writer, other) =
        party(&pair.authority, "spiffe://example.org/other", pair.authority.bundles(), pair.server.clock());
    assert!(at_server.move_to(&other, &Terms::default()));
    assert!(matches!(at_server.fallen().await, Fallen::Replaced(id) if id.as_str() == SERVER));
}

#[tokio::test]
async fn no_connection_moves_from_spiffe_to_the_web() {
    let pair = Pair::new();
    let (mut at_server, _) = connection(&pair).await;
    let nobody = WebIdentity::new(None, Vec::new(), start());
    let (_writer, web) = WebSource::channel(nobody, pair.server.clock());
    assert!(!at_server.move_to_web(&web, &Terms::default()));
    stands(&mut at_server).await;
    assert!(!Standing::of_nobody().move_to(&pair.server, &Terms::default()));
}
