//! Behind a load balancer: who calls is whom it announces, if it is one that was named.

use finial_identity::{KeyKind, PrivateKey};
use finial_wire::client::BundleClient;
use tracing_subscriber::layer::SubscriberExt as _;

use super::fixture::{Server, attest};
use super::watched::AuditLines;
use crate::{KeysConfig, StoreConfig};

const ANNOUNCED: &str = "PROXY TCP4 203.0.113.7 10.0.0.1 4711 8081\r\n";

/// A server that believes the balancers of this network.
async fn server(trusted: &str) -> Server {
    let trusted = [trusted].iter().map(|network| network.parse().unwrap()).collect();
    Server::start_with(|config| {
        config.store = StoreConfig::Memory;
        config.keys = KeysConfig::Memory;
        config.audit_log = true;
        config.proxy_protocol_trusted_cidrs = trusted;
    })
    .await
}

/// Attests by way of a balancer that says this, and tells the address that the audit log has then.
async fn address_of_who_attests(server: &Server, header: &'static str) -> Option<String> {
    let lines = AuditLines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let bundle = BundleClient::new(server.operator()).bundle().await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let channel = server.caller_behind(header, bundle, None);
    attest(&channel, &server.token().await, &key).await.ok()?;
    Some(lines.of("AttestAgent").remove(0)["caller_addr"].clone())
}

#[tokio::test]
async fn a_balancer_that_is_trusted_says_who_calls() {
    let server = server("127.0.0.0/8").await;
    assert_eq!(address_of_who_attests(&server, ANNOUNCED).await.as_deref(), Some("203.0.113.7"));
    // What it says of itself, and what comes without it.
    for header in ["PROXY UNKNOWN\r\n", ""] {
        assert_eq!(address_of_who_attests(&server, header).await.as_deref(), Some("127.0.0.1"), "{header}");
    }
    assert_eq!(address_of_who_attests(&server, "PROXY TCP4 x\r\n").await, None);
    server.stop().await;
}

#[tokio::test]
async fn who_is_no_trusted_balancer_is_not_believed() {
    let server = server("10.0.0.0/8").await;
    assert_eq!(address_of_who_attests(&server, ANNOUNCED).await, None);
    assert_eq!(address_of_who_attests(&server, "").await.as_deref(), Some("127.0.0.1"));
    server.stop().await;
}
