//! Peers that only their key makes known, and those who have another, or only the certificate.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use finial_identity::{ForeignChain, KeyKind, PrivateKey, SpkiPin};
use finial_receive::testing::{Authority, SVID_TTL, start};
use finial_receive::{WebCredential, WebIdentity, WebSource};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::{WebAcceptor, WebDialer};
use crate::config::signing_key;
use crate::fixtures::{Presented, stranger_client, stranger_server, wire};
use crate::{NameRules, TlsError};

type Pins = Arc<[SpkiPin]>;

/// Two parties that trust no authority at all.
struct World {
    server: WebAcceptor,
    server_pins: Pins,
    client: WebDialer,
    client_pins: Pins,
    _hand: ClockHand,
}

impl World {
    fn new() -> Self {
        Self::at(start())
    }

    /// Certificates are made at [`start`].
    fn at(now: SystemTime) -> Self {
        let (clock, hand) = Clock::manual(now);
        let ((server, client_pins), (client, server_pins)) = (party(&clock), party(&clock));
        let server = WebAcceptor::new(&server, NameRules::default());
        let client = WebDialer::new(&client, NameRules::default());
        Self { server, server_pins, client, client_pins, _hand: hand }
    }

    async fn accept(&self, client: &Arc<ClientConfig>) -> Result<SpkiPin, TlsError> {
        let (near, far) = wire();
        let connector = TlsConnector::from(Arc::clone(client));
        let (accepted, _) =
            tokio::join!(self.server.accept_pinned(far, &self.server_pins), connector.connect(name(), near));
        accepted.map(|secured| secured.peer.pin().clone())
    }

    async fn connect(&self, server: &Arc<ServerConfig>) -> Result<SpkiPin, TlsError> {
        let (near, far) = wire();
        let acceptor = TlsAcceptor::from(Arc::clone(server));
        let (dialled, _) =
            tokio::join!(self.client.connect_pinned(near, name(), &self.client_pins), acceptor.accept(far));
        dialled.map(|secured| secured.peer.pin().clone())
    }
}

/// A certificate of an authority that nobody knows, and its pin.
fn party(clock: &Clock) -> (WebSource, Pins) {
    let (chain, key) = leaf();
    let pins = [SpkiPin::of(key.public_key())].into();
    let credential = WebCredential::new(ForeignChain::from_chain(chain).unwrap(), key).unwrap();
    let (_, source) = WebSource::channel(WebIdentity::new(Some(credential), Vec::new(), start()), clock);
    (source, pins)
}

fn leaf() -> Presented {
    Authority::new("nowhere.test").leaf("spiffe://nowhere.test/x", start(), |_| {})
}

fn name() -> ServerName<'static> {
    ServerName::try_from("another.test").unwrap()
}

/// What presents a certificate and signs with a key of somebody else.
fn stolen((chain, _): Presented) -> Arc<SingleCertAndKey> {
    let other = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let key = signing_key(other.to_rustls()).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

#[tokio::test]
async fn pinned_keys_meet_without_any_authority_and_whatever_their_names() {
    let world = World::new();
    let (near, far) = wire();
    let (accepted, dialled) = tokio::join!(
        world.server.accept_pinned(far, &world.server_pins),
        world.client.connect_pinned(near, name(), &world.client_pins)
    );
    let accepted = accepted.unwrap();
    assert_eq!(accepted.peer.pin(), &world.server_pins[0]);
    assert!(accepted.standing.is_pinned_by(&world.server_pins));
    assert!(!accepted.standing.is_pinned_by(&world.client_pins));
    assert!(!accepted.standing.is_permitted_by(&NameRules { anyone: true, ..NameRules::default() }));
    assert_eq!(dialled.unwrap().peer.pin(), &world.client_pins[0]);
}

#[tokio::test]
async fn pinned_key_counts_after_its_certificate_has_expired_and_before_it_is_valid() {
    for now in [start() + 10 * SVID_TTL, start() - Duration::from_secs(3600)] {
        let world = World::at(now);
        let (near, far) = wire();
        let (accepted, dialled) = tokio::join!(
            world.server.accept_pinned(far, &world.server_pins),
            world.client.connect_pinned(near, name(), &world.client_pins)
        );
        assert!(accepted.is_ok() && dialled.is_ok());
    }
}

#[tokio::test]
async fn one_of_several_pins_is_enough() {
    let mut world = World::new();
    let (_, other) = party(&Clock::manual(start()).0);
    world.server_pins = [other[0].clone(), world.server_pins[0].clone()].into();
    let (near, far) = wire();
    let (accepted, _) = tokio::join!(
        world.server.accept_pinned(far, &world.server_pins),
        world.client.connect_pinned(near, name(), &world.client_pins)
    );
    assert_eq!(accepted.unwrap().peer.pin(), &world.server_pins[1]);
}

#[tokio::test]
async fn other_key_is_refused_in_ghostunnels_words_and_named() {
    let world = World::new();
    let stranger = leaf();
    let pin = SpkiPin::of(stranger.1.public_key());
    for version in [&TLS12, &TLS13] {
        let client = stranger_client(&[version], Some(leaf_of(&stranger)));
        refused_key(&world.accept(&client).await.unwrap_err(), &pin);
    }
    let server = stranger_server(leaf_of(&stranger));
    refused_key(&world.connect(&server).await.unwrap_err(), &pin);
}

fn leaf_of((chain, key): &Presented) -> Presented {
    (chain.clone(), PrivateKey::from_rustls(&key.to_rustls()).unwrap())
}

fn refused_key(error: &TlsError, expected: &SpkiPin) {
    assert_eq!(error.to_string(), "unauthorized: pin verification failed");
    assert!(matches!(error, TlsError::UnauthorizedKey { pin } if pin == expected), "{error:?}");
}

#[tokio::test]
async fn without_a_pin_nobody_is_permitted() {
    let mut world = World::new();
    world.server_pins = [].into();
    let error = world.accept(&stranger_client(&[&TLS13], Some(leaf()))).await.unwrap_err();
    assert!(matches!(error, TlsError::UnauthorizedKey { .. }), "{error:?}");
}

#[tokio::test]
async fn client_without_a_certificate_is_refused() {
    let world = World::new();
    let error = world.accept(&stranger_client(&[&TLS13], None)).await.unwrap_err();
    assert!(matches!(error, TlsError::NoCertificate), "{error:?}");
}

#[tokio::test]
async fn certificate_of_a_pinned_key_is_worth_nothing_without_the_key() {
    let mut world = World::new();
    let pinned = leaf();
    world.server_pins = [SpkiPin::of(pinned.1.public_key())].into();
    world.client_pins = Arc::clone(&world.server_pins);
    for version in [&TLS12, &TLS13] {
        let mut client = (*stranger_client(&[version], None)).clone();
        client.client_auth_cert_resolver = stolen(leaf_of(&pinned));
        let error = world.accept(&Arc::new(client)).await.unwrap_err();
        assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
    }
    let mut server = (*stranger_server(leaf_of(&pinned))).clone();
    server.cert_resolver = stolen(leaf_of(&pinned));
    let error = world.connect(&Arc::new(server)).await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
}
