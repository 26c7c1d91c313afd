//! Which key exchange is agreed on: the one that quantum computers do not break, wherever the other side has it.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::{ClientConfig, HandshakeKind, NamedGroup, ServerConfig};

use crate::fixtures::{
    CLIENT, Pair, SERVER, shake, shake_with_client, shake_with_server, stranger_client, stranger_server,
};
use finial_receive::testing::start;

fn name(group: Option<&'static dyn SupportedKxGroup>) -> NamedGroup {
    group.unwrap().name()
}

/// The usual provider with no other groups than this one.
fn with_only(group: &'static dyn SupportedKxGroup) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() })
}

#[tokio::test]
async fn both_sides_prefer_the_hybrid_with_ml_kem() {
    let pair = Pair::new();
    let (accepted, connected) = shake(&pair.acceptor(), &pair.connector()).await;
    let accepted = accepted.unwrap().stream;
    let connected = connected.unwrap().stream;
    assert_eq!(name(accepted.get_ref().1.negotiated_key_exchange_group()), NamedGroup::X25519MLKEM768);
    assert_eq!(name(connected.get_ref().1.negotiated_key_exchange_group()), NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn peers_without_the_hybrid_are_met_with_what_they_have() {
    for group in [aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1] {
        let pair = Pair::new();
        let presented = pair.authority.leaf(CLIENT, start(), |_| {});
        let usual = stranger_client(&[&rustls::version::TLS13], Some(presented));
        let client = ClientConfig::builder_with_provider(with_only(group))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(crate::fixtures::believer())
            .with_client_cert_resolver(Arc::clone(&usual.client_auth_cert_resolver));
        let accepted = shake_with_client(&pair.acceptor(), &Arc::new(client)).await.unwrap().stream;
        assert_eq!(name(accepted.get_ref().1.negotiated_key_exchange_group()), group.name());
        let usual = stranger_server(pair.authority.leaf(SERVER, start(), |_| {}));
        let server = ServerConfig::builder_with_provider(with_only(group))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&usual.cert_resolver));
        let connected = shake_with_server(&pair.connector(), &Arc::new(server)).await.unwrap().stream;
        assert_eq!(name(connected.get_ref().1.negotiated_key_exchange_group()), group.name());
    }
}

#[tokio::test]
async fn server_that_asks_for_another_group_asks_once_and_again_after_many_handshakes() {
    let pair = Pair::new();
    let usual = stranger_server(pair.authority.leaf(SERVER, start(), |_| {}));
    let server = ServerConfig::builder_with_provider(with_only(aws_lc_rs::kx_group::SECP256R1))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&usual.cert_resolver));
    let (server, connector) = (Arc::new(server), pair.connector());
    let mut asked = Vec::new();
    for handshake in 0..70 {
        let connected = shake_with_server(&connector.clone(), &server).await.unwrap().stream;
        match connected.get_ref().1.handshake_kind().unwrap() {
            HandshakeKind::Full => {}
            HandshakeKind::FullWithHelloRetryRequest => asked.push(handshake),
            HandshakeKind::Resumed => panic!("rule 4"),
        }
    }
    assert_eq!(asked, [0, 65]);
    // It learns the hybrid meanwhile, and prefers it.
    let connected = shake_with_server(&connector, &usual).await.unwrap().stream;
    assert_eq!(name(connected.get_ref().1.negotiated_key_exchange_group()), NamedGroup::X25519MLKEM768);
}
