//! Who gets through, who does not, in both directions and both versions of TLS.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod groups;
mod host;
mod hostile;
mod pieces;
mod refusals;
mod resumption;

use std::sync::Arc;
use std::time::Duration;

use finial_receive::testing::{SVID_TTL, start};
use finial_receive::{NotLive, Source};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixtures::{
    CLIENT, Pair, SERVER, clock, name, only, shake, shake_with_client, stranger_client, wire,
};
use crate::{Acceptor, Connector, HandshakeSettings, TlsError};

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    let pair = Pair::new();
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    assert_eq!(accepted.peer.spiffe_id().as_str(), CLIENT);
    assert_eq!(connected.peer.spiffe_id().as_str(), SERVER);
    connected.stream.write_all(b"hello").await.unwrap();
    connected.stream.flush().await.unwrap();
    let mut heard = [0; 5];
    accepted.stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let pair = Pair::new();
        let presented = pair.authority.leaf(CLIENT, start(), |_| {});
        let client = stranger_client(&[version], Some(presented));
        let accepted = shake_with_client(&pair.acceptor(), &client).await.unwrap();
        assert_eq!(accepted.stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(accepted.peer.spiffe_id().as_str(), CLIENT);
    }
}

#[tokio::test]
async fn the_application_protocol_is_agreed_on() {
    let pair = Pair::new();
    let acceptor = pair.acceptor().with_alpn(["h2", "http/1.1"]);
    let (accepted, connected) = shake(&acceptor, &pair.connector().with_alpn(["http/1.1"])).await;
    assert_eq!(accepted.unwrap().stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(connected.unwrap().stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
}

#[tokio::test]
async fn rule_11_the_next_handshake_presents_the_next_credential() {
    let pair = Pair::new();
    let (acceptor, connector) = (pair.acceptor(), pair.connector());
    let (_, connected) = shake(&acceptor, &connector).await;
    let before = connected.unwrap().peer.svid().serial_number().to_owned();
    pair.server_writer.publish(vec![pair.authority.credential(SERVER)], pair.authority.bundles()).unwrap();
    let (_, connected) = shake(&acceptor, &connector).await;
    assert_ne!(connected.unwrap().peer.svid().serial_number(), before);
}

#[test]
fn the_signing_key_is_made_once_for_each_generation() {
    let pair = Pair::new();
    let keys = crate::resolver::KeyCache::default();
    let credential = pair.server.credential().unwrap();
    let first = keys.certified(&credential).unwrap();
    assert!(Arc::ptr_eq(&first, &keys.certified(&credential).unwrap()));
    pair.server_writer.publish(vec![pair.authority.credential(SERVER)], pair.authority.bundles()).unwrap();
    assert!(!Arc::ptr_eq(&first, &keys.certified(&pair.server.credential().unwrap()).unwrap()));
}

#[tokio::test]
async fn a_caller_with_bundles_alone_is_nobody_and_still_verifies_the_server() {
    let pair = Pair::new();
    let (clock, _hand) = clock();
    let (writer, nobody) = Source::channel(&clock);
    writer.publish_anonymous(pair.authority.bundles());
    let (acceptor, connector) = (pair.acceptor(), Connector::new(&nobody, only(SERVER)));

    let (near, far) = wire();
    let (accepted, connected) = tokio::join!(acceptor.accept_optional(far), connector.connect(near, name()));
    assert!(accepted.unwrap().peer.is_none());
    assert_eq!(connected.unwrap().peer.spiffe_id().as_str(), SERVER);

    let (accepted, _) = shake(&acceptor, &connector).await;
    assert!(matches!(accepted, Err(TlsError::NoCertificate)));
    let (_, connected) = shake(&acceptor, &Connector::new(&nobody, only(CLIENT))).await;
    assert!(matches!(connected, Err(TlsError::Unauthorized { .. })));
}

#[tokio::test]
async fn without_an_identity_there_is_no_connection() {
    let pair = Pair::new();
    let (clock, _hand) = clock();
    let (writer, empty) = Source::channel(&clock);
    let attempt = || async {
        let (accepted, _) = shake(&Acceptor::new(&empty, only(CLIENT)), &pair.connector()).await;
        let (_, connected) = shake(&pair.acceptor(), &Connector::new(&empty, only(SERVER))).await;
        (accepted.unwrap_err(), connected.unwrap_err())
    };
    let (accepted, connected) = attempt().await;
    assert!(matches!(accepted, TlsError::NotLive(NotLive::Waiting)), "{accepted}");
    assert!(matches!(connected, TlsError::NotLive(NotLive::Waiting)), "{connected}");
    writer.withdraw("no identity issued");
    let (accepted, connected) = attempt().await;
    assert!(matches!(accepted, TlsError::NotLive(NotLive::Withdrawn(_))), "{accepted}");
    assert!(matches!(connected, TlsError::NotLive(NotLive::Withdrawn(_))), "{connected}");
}

#[tokio::test]
async fn with_an_expired_identity_there_is_no_connection() {
    let pair = Pair::new();
    pair.hand.step(SVID_TTL);
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    assert!(matches!(accepted, Err(TlsError::NotLive(NotLive::Expired { .. }))));
    assert!(matches!(connected, Err(TlsError::NotLive(NotLive::Expired { .. }))));
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_on() {
    let pair = Pair::new();
    let limit = Duration::from_secs(3);
    let acceptor = pair.acceptor().with_settings(HandshakeSettings { limit, ..HandshakeSettings::default() });
    let (_silent, far) = wire();
    let (accepted, ()) = tokio::join!(acceptor.accept(far), async {
        pair.hand.sleepers(1).await;
        pair.hand.step(limit);
    });
    assert!(matches!(accepted, Err(TlsError::Timeout(given)) if given == limit));
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_refused() {
    let pair = Pair::new();
    let (mut near, far) = wire();
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(matches!(pair.acceptor().accept(far).await, Err(TlsError::Handshake(_))));
}
