//! A session that was allowed once must be proven again each time.

use std::sync::Arc;

use finial_receive::testing::Authority;
use rustls::client::Resumption;
use rustls::server::ServerSessionMemoryCache;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::fixtures::{CLIENT, Pair, SERVER, name, only, shake, wire};
use crate::{ClientAuth, TlsError, client_config, server_config};

/// One handshake and one byte each way, so that tickets arrive; what kind it was on the server's side.
async fn visit(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let (near, far) = wire();
    let (acceptor, connector) =
        (TlsAcceptor::from(Arc::clone(server)), TlsConnector::from(Arc::clone(client)));
    let (served, _) = tokio::join!(
        async {
            let mut stream = acceptor.accept(far).await.ok()?;
            stream.write_all(b"x").await.ok()?;
            stream.flush().await.ok()?;
            stream.read_u8().await.ok()?;
            stream.get_ref().1.handshake_kind()
        },
        async {
            let mut stream = connector.connect(name(), near).await.ok()?;
            stream.read_u8().await.ok()?;
            stream.write_all(b"x").await.ok()?;
            stream.flush().await.ok()
        }
    );
    served
}

/// Our client, made to resume whenever it can.
fn eager_client(pair: &Pair) -> Arc<ClientConfig> {
    let mut config = client_config(&pair.client, &only(SERVER), &[]);
    config.resumption = Resumption::in_memory_sessions(16);
    Arc::new(config)
}

/// Our server, made to resume whenever it can.
fn eager_server(pair: &Pair) -> Arc<ServerConfig> {
    let mut config = server_config(&pair.server, &only(CLIENT), ClientAuth::Required, &[]);
    config.session_storage = ServerSessionMemoryCache::new(16);
    config.send_tls13_tickets = 2;
    Arc::new(config)
}

/// The server stops trusting the authority of the client, and only that: the client trusts the server's next one.
fn remove_authority(pair: &Pair) {
    let next = Authority::new("example.org");
    let both = [pair.authority.bundle_with(&[&next])].into_iter().collect();
    pair.client_writer.publish(vec![pair.authority.credential(CLIENT)], both).unwrap();
    pair.server_writer.publish(vec![next.credential(SERVER)], next.bundles()).unwrap();
}

#[tokio::test]
async fn two_that_both_want_to_resume_keep_a_removed_authority_alive() {
    let pair = Pair::new();
    let (server, client) = (eager_server(&pair), eager_client(&pair));
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Full));
    remove_authority(&pair);
    // What rule 4 is about: the verifier is not asked, and the removed authority still opens the door.
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn rule_4_cve_2025_68121_resumption_is_off() {
    let pair = Pair::new();
    let server = Arc::new(server_config(&pair.server, &only(CLIENT), ClientAuth::Required, &[]));
    let client = eager_client(&pair);
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Full));
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Full));
    remove_authority(&pair);
    assert_eq!(visit(&server, &client).await, None);

    let pair = Pair::new();
    let client = Arc::new(client_config(&pair.client, &only(SERVER), &[]));
    let server = eager_server(&pair);
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Full));
    assert_eq!(visit(&server, &client).await, Some(HandshakeKind::Full));
}

#[tokio::test]
async fn rule_4_spire_1_14_3_an_acceptor_refuses_a_ticket_from_before_its_authority_was_removed() {
    let pair = Pair::new();
    let (acceptor, client) = (pair.acceptor(), eager_client(&pair));
    assert_eq!(visit(&eager_server(&pair), &client).await, Some(HandshakeKind::Full));
    remove_authority(&pair);
    let accepted = crate::fixtures::shake_with_client(&acceptor, &client).await;
    assert!(matches!(accepted, Err(TlsError::Untrusted(_))), "{accepted:?}");
}

#[tokio::test]
async fn rule_5_a_removed_authority_is_refused_in_the_next_handshake() {
    let pair = Pair::new();
    let (acceptor, connector) = (pair.acceptor(), pair.connector());
    shake(&acceptor, &connector).await.0.unwrap();
    remove_authority(&pair);
    let (accepted, _) = shake(&acceptor, &connector).await;
    assert!(matches!(accepted, Err(TlsError::Untrusted(_))));
}
