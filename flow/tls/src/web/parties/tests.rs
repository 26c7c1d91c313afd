//! Parties that certificates of one PKI name, and those that must not meet.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_daemon::{Clock, ClockHand};
use finial_identity::{ForeignChain, X509Authority};
use finial_receive::testing::{Authority, start};
use finial_receive::{WebCredential, WebIdentity, WebSource, WebSourceWriter};
use rcgen::{DnType, ExtendedKeyUsagePurpose, SanType};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{WebAcceptor, WebDialer, WebPeer};
use crate::fixtures::{CLIENT, SERVER, only, party, shake_with_client, stranger_client, wire};
use crate::{Acceptor, Connector, Fallen, NameRules, Secured, TlsError};

const NAME: &str = "server.test";

struct World {
    authority: Authority,
    clock: Clock,
    hand: ClockHand,
}

impl World {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        Self { authority: Authority::new("example.org"), clock, hand }
    }

    fn roots(&self) -> Vec<X509Authority> {
        self.authority.bundle().x509_authorities.clone()
    }

    fn credential(&self, name: &str, usages: &[ExtendedKeyUsagePurpose]) -> WebCredential {
        let (chain, key) = self.authority.leaf("spiffe://example.org/web", start(), |params| {
            params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = usages.to_vec();
        });
        WebCredential::new(ForeignChain::from_chain(chain).unwrap(), key).unwrap()
    }

    fn identity(&self, name: &str) -> WebIdentity {
        WebIdentity::new(Some(self.credential(name, &[])), self.roots(), start())
    }

    fn source(&self, name: &str) -> (WebSourceWriter, WebSource) {
        WebSource::channel(self.identity(name), &self.clock)
    }

    fn server(&self) -> WebAcceptor {
        WebAcceptor::new(&self.source(NAME).1, named("client.test"))
    }

    fn client(&self, name: &str, rules: NameRules) -> WebDialer {
        WebDialer::new(&self.source(name).1, rules)
    }
}

fn named(name: &str) -> NameRules {
    NameRules { common_names: [name.to_owned()].into(), ..NameRules::default() }
}

fn none() -> NameRules {
    NameRules::default()
}

type Met = (Result<Secured<(), WebPeer>, TlsError>, Result<Secured<(), WebPeer>, TlsError>);

/// The server's view, and the client's.
async fn meet(server: &WebAcceptor, client: &WebDialer) -> Met {
    meet_as(server, client, NAME).await
}

async fn meet_as(server: &WebAcceptor, client: &WebDialer, name: &str) -> Met {
    let (near, far) = wire();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (accepted, dialled) = tokio::join!(server.accept(far), client.connect(near, name));
    (accepted.map(without_stream), dialled.map(without_stream))
}

fn without_stream<S>(secured: Secured<S, WebPeer>) -> Secured<(), WebPeer> {
    Secured { stream: (), peer: secured.peer, standing: secured.standing }
}

fn refusal(result: Result<Secured<(), WebPeer>, TlsError>) -> TlsError {
    result.map(|secured| secured.peer).unwrap_err()
}

#[tokio::test]
async fn both_sides_learn_the_names_of_the_other() {
    let world = World::new();
    let (accepted, dialled) = meet(&world.server(), &world.client("client.test", none())).await;
    assert_eq!(accepted.unwrap().peer.chain().common_name(), Some("client.test"));
    assert_eq!(dialled.unwrap().peer.chain().dns_names(), [NAME]);
}

#[tokio::test]
async fn client_whose_names_are_not_permitted_is_refused() {
    let world = World::new();
    let (accepted, _) = meet(&world.server(), &world.client("other.test", none())).await;
    let error = refusal(accepted);
    assert!(matches!(&error, TlsError::UnauthorizedWeb { subject } if subject.contains("other.test")));
    assert_eq!(error.to_string(), "unauthorized: invalid principal, or principal not allowed");
}

#[tokio::test]
async fn without_a_rule_no_client_is_permitted() {
    let world = World::new();
    let server = WebAcceptor::new(&world.source(NAME).1, none());
    let (accepted, _) = meet(&server, &world.client("client.test", none())).await;
    assert!(matches!(refusal(accepted), TlsError::UnauthorizedWeb { .. }));
}

#[tokio::test]
async fn client_of_another_pki_is_refused_whatever_its_names() {
    let (world, other) = (World::new(), World::new());
    let identity = WebIdentity::new(Some(other.credential("client.test", &[])), world.roots(), start());
    let (_writer, source) = WebSource::channel(identity, &world.clock);
    let anyone = NameRules { anyone: true, ..none() };
    let server = WebAcceptor::new(&world.source(NAME).1, anyone);
    let (accepted, _) = meet(&server, &WebDialer::new(&source, none())).await;
    assert!(matches!(refusal(accepted), TlsError::UntrustedWeb(_)));
}

#[tokio::test]
async fn client_without_a_certificate_is_refused() {
    let world = World::new();
    let (_writer, source) = WebSource::channel(WebIdentity::new(None, world.roots(), start()), &world.clock);
    let (accepted, _) = meet(&world.server(), &WebDialer::new(&source, none())).await;
    assert!(matches!(refusal(accepted), TlsError::NoCertificate));
}

#[tokio::test]
async fn client_with_a_hundred_certificates_is_refused() {
    let world = World::new();
    let (mut chain, key) = world.authority.leaf("spiffe://example.org/web", start(), |params| {
        params.distinguished_name.push(DnType::CommonName, "client.test");
    });
    chain.resize(100, chain[0].clone());
    let client = stranger_client(&[&rustls::version::TLS13], Some((chain, key)));
    let (near, far) = wire();
    let name = ServerName::try_from(NAME).unwrap();
    let (server, connector) = (world.server(), tokio_rustls::TlsConnector::from(client));
    let (accepted, _) = tokio::join!(server.accept(far), connector.connect(name, near));
    let refused = accepted.map(without_stream).map(|secured| secured.peer).unwrap_err();
    assert!(
        matches!(&refused, TlsError::UntrustedWeb(cause) if cause.to_string().contains("16")),
        "{refused}"
    );
}

#[tokio::test]
async fn certificate_for_servers_only_is_refused_of_a_client() {
    let world = World::new();
    let credential = world.credential("client.test", &[ExtendedKeyUsagePurpose::ServerAuth]);
    let identity = WebIdentity::new(Some(credential), world.roots(), start());
    let (_writer, source) = WebSource::channel(identity, &world.clock);
    let (accepted, _) = meet(&world.server(), &WebDialer::new(&source, none())).await;
    assert!(matches!(refusal(accepted), TlsError::UntrustedWeb(_)));
}

#[tokio::test]
async fn expired_certificate_is_refused() {
    let world = World::new();
    let (server, client) = (world.server(), world.client("client.test", none()));
    world.hand.step(finial_receive::testing::SVID_TTL * 2);
    let (_, dialled) = meet(&server, &client).await;
    assert!(matches!(refusal(dialled), TlsError::UntrustedWeb(_)));
}

#[tokio::test]
async fn server_of_another_name_is_refused() {
    let world = World::new();
    let client = world.client("client.test", none());
    let (_, dialled) = meet_as(&world.server(), &client, "elsewhere.test").await;
    let error = refusal(dialled);
    assert_eq!(error.to_string(), "the server's certificate is not for elsewhere.test");
}

#[tokio::test]
async fn rules_of_a_client_are_asked_beside_the_name() {
    let world = World::new();
    for (rules, name, permitted) in
        [(NAME, NAME, true), ("other.test", NAME, false), (NAME, "other.test", false)]
    {
        let client = world.client("client.test", named(rules));
        let (_, dialled) = meet_as(&world.server(), &client, name).await;
        assert_eq!(dialled.is_ok(), permitted, "{rules} {name}");
    }
}

#[tokio::test]
async fn client_that_is_asked_for_nothing_is_nobody() {
    let world = World::new();
    let (server, client) = (world.server(), world.client("stranger.test", none()));
    let (near, far) = wire();
    let name = ServerName::try_from(NAME).unwrap();
    let (accepted, dialled) = tokio::join!(server.accept_anybody(far), client.connect(near, name));
    let (mut accepted, mut dialled) = (accepted.unwrap(), dialled.unwrap());
    dialled.stream.write_all(b"!").await.unwrap();
    dialled.stream.flush().await.unwrap();
    assert_eq!(accepted.stream.read_u8().await.unwrap(), b'!');
}

#[tokio::test]
async fn rule_3_an_svid_is_a_peer_of_the_web_by_its_uri_and_no_spiffe_peer() {
    let world = World::new();
    let (chain, key) = world.authority.leaf(CLIENT, start(), |_| {});
    let credential = WebCredential::new(ForeignChain::from_chain(chain).unwrap(), key).unwrap();
    let identity = WebIdentity::new(Some(credential), world.roots(), start());
    let (_writer, source) = WebSource::channel(identity, &world.clock);
    let rules = NameRules { uris: Some(crate::UriPatterns::parse([CLIENT]).unwrap()), ..none() };
    let server = WebAcceptor::new(&world.source(NAME).1, rules);
    let (accepted, _) = meet(&server, &WebDialer::new(&source, none())).await;
    // The type says it: there is no way from here to a Peer.
    let peer: WebPeer = accepted.unwrap().peer;
    assert_eq!(peer.chain().uri_names(), [CLIENT]);
}

#[tokio::test]
async fn rule_3_a_web_certificate_is_refused_where_an_svid_is_asked_for() {
    let world = World::new();
    let (_writer, svid) = party(&world.authority, SERVER, world.authority.bundles(), &world.clock);
    let rules = NameRules { anyone: true, ..none() };
    let server = Acceptor::new(&svid, crate::Policy::names(rules));
    let (chain, key) = world.authority.leaf("spiffe://example.org/web", start(), |params| {
        params.subject_alt_names = vec![SanType::DnsName("client.test".try_into().unwrap())];
    });
    let client = stranger_client(&[&rustls::version::TLS13], Some((chain, key)));
    let accepted = shake_with_client(&server, &client).await;
    assert!(matches!(accepted.map(drop).unwrap_err(), TlsError::Untrusted(_)));
}

#[tokio::test]
async fn names_of_an_svid_permit_it_beside_its_id() {
    let world = World::new();
    let (chain, key) = world.authority.leaf(CLIENT, start(), |params| {
        params.distinguished_name.push(DnType::CommonName, "web");
    });
    let svid = finial_identity::X509Svid::from_chain(chain).unwrap();
    let credential = finial_identity::X509Credential::new(svid, key, String::new()).unwrap();
    let (writer, client) = finial_receive::Source::channel(&world.clock);
    writer.publish(vec![credential], world.authority.bundles()).unwrap();
    let (_writer, server) = party(&world.authority, SERVER, world.authority.bundles(), &world.clock);
    for (name, permitted) in [("web", true), ("other", false)] {
        let acceptor = Acceptor::new(&server, crate::Policy::names(named(name)));
        let (accepted, _) = crate::fixtures::shake(&acceptor, &Connector::new(&client, only(SERVER))).await;
        assert_eq!(accepted.is_ok(), permitted, "{name}");
    }
}

#[tokio::test]
async fn connector_without_credential_presents_none() {
    let world = World::new();
    let (_a, server) = party(&world.authority, SERVER, world.authority.bundles(), &world.clock);
    let (_b, client) = party(&world.authority, CLIENT, world.authority.bundles(), &world.clock);
    let acceptor = Acceptor::new(&server, only(CLIENT));
    let connector = Connector::new(&client, only(SERVER)).without_credential();
    let (accepted, _) = crate::fixtures::shake(&acceptor, &connector).await;
    assert!(matches!(accepted.map(drop).unwrap_err(), TlsError::NoCertificate));
    let (near, far) = wire();
    let name = ServerName::try_from(NAME).unwrap();
    let (accepted, dialled) = tokio::join!(acceptor.accept_anybody(far), connector.connect(near, name));
    assert_eq!(dialled.unwrap().peer.spiffe_id().as_str(), SERVER);
    accepted.unwrap();
}

#[tokio::test]
async fn rule_5_connection_falls_when_the_root_of_its_peer_leaves() {
    let (world, other) = (World::new(), World::new());
    let (writer, source) = world.source(NAME);
    let server = WebAcceptor::new(&source, named("client.test"));
    let (accepted, _) = meet(&server, &world.client("client.test", none())).await;
    let mut standing = accepted.unwrap().standing;
    let more = world.authority.bundle_with(&[&other.authority]).x509_authorities.clone();
    writer.publish(WebIdentity::new(Some(world.credential(NAME, &[])), more, start()));
    tokio::select! {
        biased;
        fallen = standing.fallen() => panic!("{fallen}"),
        () = std::future::ready(()) => {}
    }
    writer.publish(WebIdentity::new(Some(world.credential(NAME, &[])), other.roots(), start()));
    let fallen = standing.fallen().await;
    assert!(
        matches!(&fallen, Fallen::WebPeer { subject, .. } if subject.contains("client.test")),
        "{fallen}"
    );
}

#[tokio::test]
async fn rule_11_the_next_handshake_presents_the_next_certificate() {
    let world = World::new();
    let (writer, source) = world.source(NAME);
    let server = WebAcceptor::new(&source, named("client.test"));
    let client = world.client("client.test", none());
    let first = meet(&server, &client).await.1.unwrap().peer.chain().serial_number_hex();
    writer.publish(world.identity(NAME));
    let second = meet(&server, &client).await.1.unwrap().peer.chain().serial_number_hex();
    assert_ne!(first, second);
}

#[tokio::test]
async fn rule_4_no_ticket_is_given_out() {
    let world = World::new();
    let (near, far) = wire();
    let (server, client) = (world.server(), world.client("client.test", none()));
    let name = ServerName::try_from(NAME).unwrap();
    let (accepted, dialled) = tokio::join!(server.accept(far), client.connect(near, name));
    let (mut accepted, mut dialled) = (accepted.unwrap().stream, dialled.unwrap().stream);
    accepted.write_all(b"!").await.unwrap();
    accepted.flush().await.unwrap();
    assert_eq!(dialled.read_u8().await.unwrap(), b'!');
    assert_eq!(dialled.get_ref().1.tls13_tickets_received(), 0);
}
