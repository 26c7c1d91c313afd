//! Peers that are revoked, and peers that expire, before the handshake and after it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use finial_identity::{ForeignChain, ForeignChainError, RevocationLists, Revoked, X509Error};
use finial_receive::testing::{Authority, SVID_TTL, start};
use finial_receive::{
    LiveWriter, RevocationSource, Source, SourceWriter, WebCredential, WebIdentity, WebSource,
};
use rcgen::SanType;
use rustls_pki_types::{CertificateDer, ServerName};

use super::Terms;
use crate::fixtures::{CLIENT, SERVER, only, shake, wire};
use crate::{
    Acceptor, Connector, Fallen, HandshakeSettings, NameRules, Standing, TlsError, WebAcceptor, WebDialer,
};

const FRESH: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// Two SPIFFE parties and two of the web, all of one authority; the server of each kind outlives its client.
struct World {
    authority: Authority,
    hand: ClockHand,
    _writers: [SourceWriter; 2],
    server: Source,
    client: Source,
    web_server: WebSource,
    web_client: WebSource,
}

impl World {
    fn new() -> Self {
        let (authority, (clock, hand)) = (Authority::new("example.org"), Clock::manual(start()));
        let party = |id, now| {
            let (writer, source) = Source::channel(&clock);
            writer.publish(vec![authority.credential_at(id, now)], authority.bundles()).unwrap();
            (writer, source)
        };
        let (server_writer, server) = party(SERVER, start() + Duration::from_secs(60));
        let (client_writer, client) = party(CLIENT, start());
        let web_server = web_party(&authority, start() + Duration::from_secs(60), &clock);
        let web_client = web_party(&authority, start(), &clock);
        let _writers = [server_writer, client_writer];
        Self { authority, hand, _writers, server, client, web_server, web_client }
    }

    fn lists(&self, leaves: &[&CertificateDer<'_>]) -> RevocationLists {
        RevocationLists::parse(&self.authority.revocation_list(leaves, start() + FRESH)).unwrap()
    }

    fn client_leaf(&self) -> CertificateDer<'static> {
        self.client.credential().unwrap().svid().leaf().clone()
    }

    fn web_client_leaf(&self) -> CertificateDer<'static> {
        self.web_client.identity().unwrap().credential().unwrap().chain().chain()[0].clone()
    }

    /// The server's view of a SPIFFE connection.
    async fn meet(&self, terms: &Terms) -> Result<Standing, TlsError> {
        let acceptor = Acceptor::new(&self.server, only(CLIENT)).with_settings(held_to(terms));
        let (accepted, _) = shake(&acceptor, &Connector::new(&self.client, only(SERVER))).await;
        accepted.map(|secured| secured.standing)
    }

    /// The server's view of a connection of the web.
    async fn meet_web(&self, terms: &Terms) -> Result<Standing, TlsError> {
        let rules = NameRules { anyone: true, ..NameRules::default() };
        let acceptor = WebAcceptor::new(&self.web_server, rules).with_settings(held_to(terms));
        let dialer = WebDialer::new(&self.web_client, NameRules::default());
        let (near, far) = wire();
        let name = ServerName::try_from("web.test").unwrap();
        let (accepted, _) = tokio::join!(acceptor.accept(far), dialer.connect(near, name));
        accepted.map(|secured| secured.standing)
    }
}

fn web_party(authority: &Authority, now: SystemTime, clock: &Clock) -> WebSource {
    let (chain, key) = authority.leaf("spiffe://example.org/web", now, |params| {
        params.subject_alt_names = vec![SanType::DnsName("web.test".try_into().unwrap())];
    });
    let credential = WebCredential::new(ForeignChain::from_chain(chain).unwrap(), key).unwrap();
    let roots = authority.bundle().x509_authorities.clone();
    WebSource::channel(WebIdentity::new(Some(credential), roots, start()), clock).1
}

fn revocations(first: RevocationLists) -> (LiveWriter<RevocationLists>, Terms) {
    let (writer, source) = RevocationSource::channel(first);
    (writer, Terms { revocations: Some(source), ..Terms::default() })
}

fn held_to(terms: &Terms) -> HandshakeSettings {
    HandshakeSettings { terms: terms.clone(), ..HandshakeSettings::default() }
}

async fn stands(standing: &mut Standing) {
    tokio::select! {
        biased;
        fallen = standing.fallen() => panic!("{fallen:?}"),
        () = async { for _ in 0..8 { tokio::task::yield_now().await } } => {}
    }
}

#[tokio::test]
async fn revoked_peer_is_refused_in_the_handshake_of_either_kind() {
    let world = World::new();
    let (leaf, web_leaf) = (world.client_leaf(), world.web_client_leaf());
    let (_writer, terms) = revocations(world.lists(&[&leaf, &web_leaf]));
    match world.meet(&terms).await.unwrap_err() {
        TlsError::Untrusted(cause) => {
            assert!(matches!(&*cause, X509Error::Revoked(Revoked::Listed { .. })), "{cause:?}");
        }
        other => panic!("{other:?}"),
    }
    match world.meet_web(&terms).await.unwrap_err() {
        TlsError::UntrustedWeb(cause) => {
            assert!(matches!(&*cause, ForeignChainError::Revoked(Revoked::Listed { .. })), "{cause:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn revoked_server_is_refused_by_its_clients() {
    let world = World::new();
    let leaf = world.server.credential().unwrap().svid().leaf().clone();
    let (_writer, terms) = revocations(world.lists(&[&leaf]));
    let connector = Connector::new(&world.client, only(SERVER)).with_settings(held_to(&terms));
    let (_, connected) = shake(&Acceptor::new(&world.server, only(CLIENT)), &connector).await;
    assert!(matches!(connected.unwrap_err(), TlsError::Untrusted(_)));
}

#[tokio::test]
async fn rule_5_open_connection_falls_when_a_list_comes_to_name_its_peer() {
    let world = World::new();
    let (leaf, web_leaf) = (world.client_leaf(), world.web_client_leaf());
    let (writer, terms) = revocations(world.lists(&[]));
    let mut spiffe = world.meet(&terms).await.unwrap();
    let mut web = world.meet_web(&terms).await.unwrap();
    writer.publish(world.lists(&[&leaf]));
    assert!(matches!(spiffe.fallen().await, Fallen::Peer { .. }));
    stands(&mut web).await;
    writer.publish(world.lists(&[&web_leaf]));
    assert!(matches!(web.fallen().await, Fallen::WebPeer { .. }));
}

#[tokio::test]
async fn expired_list_refuses_newcomers_and_keeps_those_who_are_there() {
    let world = World::new();
    let (writer, terms) = revocations(world.lists(&[]));
    let mut standings = [world.meet(&terms).await.unwrap(), world.meet_web(&terms).await.unwrap()];
    world.hand.step(FRESH);
    assert!(matches!(world.meet(&terms).await, Err(TlsError::Untrusted(_))));
    assert!(matches!(world.meet_web(&terms).await, Err(TlsError::UntrustedWeb(_))));
    writer.publish(world.lists(&[]));
    for standing in &mut standings {
        stands(standing).await;
    }
    let next = world.authority.revocation_list(&[], start() + 2 * FRESH);
    writer.publish(RevocationLists::parse(&next).unwrap());
    assert!(world.meet(&terms).await.is_ok());
    assert!(world.meet_web(&terms).await.is_ok());
}

#[tokio::test]
async fn connection_ends_in_the_second_after_its_peers_certificate_if_the_terms_say_so() {
    let world = World::new();
    let terms = Terms { close_on_expiry: true, ..Terms::default() };
    let mut spiffe = world.meet(&terms).await.unwrap();
    let mut web = world.meet_web(&terms).await.unwrap();
    let mut lasting = world.meet(&Terms::default()).await.unwrap();
    world.hand.step(SVID_TTL);
    stands(&mut spiffe).await;
    stands(&mut web).await;
    world.hand.step(SECOND);
    let fallen = spiffe.fallen().await;
    assert!(matches!(&fallen, Fallen::Expired { peer, .. } if peer == CLIENT), "{fallen:?}");
    assert_eq!(
        fallen.to_string(),
        "the certificate of spiffe://example.org/client expired at 2027-01-15 09:00:00 +0000 UTC"
    );
    assert!(matches!(web.fallen().await, Fallen::Expired { .. }));
    stands(&mut lasting).await;
}

#[tokio::test]
async fn expiry_wakes_a_connection_that_waits() {
    let world = World::new();
    let terms = Terms { close_on_expiry: true, ..Terms::default() };
    for mut standing in [world.meet(&terms).await.unwrap(), world.meet_web(&terms).await.unwrap()] {
        let later = async {
            world.hand.sleepers(1).await;
            world.hand.set(start() + SVID_TTL + SECOND);
        };
        let (fallen, ()) = tokio::join!(standing.fallen(), later);
        assert!(matches!(fallen, Fallen::Expired { .. }));
        world.hand.set(start());
    }
}
