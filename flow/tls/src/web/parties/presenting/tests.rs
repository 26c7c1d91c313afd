//! A workload before a server of the web.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_identity::X509Authority;
use finial_receive::testing::{Authority, start};
use finial_receive::{NotLive, Source, SourceWriter, WebIdentity, WebSource, WebSourceWriter};
use rcgen::SanType;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::fixtures::{CLIENT, clock, name, only, party, stranger_server, wire};
use crate::{Acceptor, Fallen, NameRules, TlsError, WebDialer};

/// A workload of `example.org`, and a server that another PKI vouches for.
struct World {
    company: Authority,
    domain: Authority,
    writer: SourceWriter,
    source: Source,
}

impl World {
    fn new() -> Self {
        let (clock, _) = clock();
        let (company, domain) = (Authority::new("company.test"), Authority::new("example.org"));
        let (writer, source) = party(&domain, CLIENT, domain.bundles(), &clock);
        Self { company, domain, writer, source }
    }

    fn roots(&self) -> Vec<X509Authority> {
        self.company.bundle().x509_authorities.clone()
    }

    fn dialer(&self, roots: Vec<X509Authority>) -> (WebSourceWriter, WebDialer) {
        let identity = WebIdentity::new(None, roots, start());
        let (writer, web) = WebSource::channel(identity, self.source.clock());
        (writer, WebDialer::new(&web, NameRules::default()).presenting(&self.source))
    }

    fn server(&self) -> Arc<ServerConfig> {
        stranger_server(self.company.leaf("spiffe://company.test/x", start(), |params| {
            params.subject_alt_names = vec![SanType::DnsName("server.test".try_into().unwrap())];
        }))
    }
}

#[tokio::test]
async fn a_server_of_our_own_domain_learns_who_dials() {
    let world = World::new();
    let (chain, key) = world.domain.leaf("spiffe://example.org/db", start(), |params| {
        params.subject_alt_names.push(SanType::DnsName("server.test".try_into().unwrap()));
    });
    let svid = finial_identity::X509Svid::from_chain(chain).unwrap();
    let credential = finial_identity::X509Credential::new(svid, key, String::new()).unwrap();
    let (server_writer, server) = Source::channel(world.source.clock());
    server_writer.publish(vec![credential], world.domain.bundles()).unwrap();
    let (_web, dialer) = world.dialer(world.domain.bundle().x509_authorities.clone());
    let (near, far) = wire();
    let acceptor = Acceptor::new(&server, only(CLIENT));
    let (accepted, connected) = tokio::join!(acceptor.accept(far), dialer.connect(near, name()));
    assert_eq!(accepted.unwrap().peer.spiffe_id().as_str(), CLIENT);
    assert_eq!(connected.unwrap().peer.chain().dns_names(), ["server.test"]);
}

#[tokio::test]
async fn rule_5_the_connection_falls_with_our_identity_and_with_the_roots() {
    let world = World::new();
    let acceptor = TlsAcceptor::from(world.server());
    let (web, dialer) = world.dialer(world.roots());
    let mut standings = Vec::new();
    for _ in 0..2 {
        let (near, far) = wire();
        let (accepted, connected) = tokio::join!(acceptor.accept(far), dialer.connect(near, name()));
        accepted.unwrap();
        standings.push(connected.unwrap().standing);
    }
    tokio::select! {
        biased;
        fallen = standings[0].fallen() => panic!("{fallen}"),
        () = std::future::ready(()) => {}
    }
    web.publish(WebIdentity::new(None, world.domain.bundle().x509_authorities.clone(), start()));
    assert!(matches!(standings[0].fallen().await, Fallen::WebPeer { .. }));
    world.writer.withdraw("the entry was deleted");
    web.publish(WebIdentity::new(None, world.roots(), start()));
    assert!(matches!(standings[1].fallen().await, Fallen::Own(NotLive::Withdrawn(_))));
}

#[tokio::test]
async fn without_an_identity_nothing_is_dialled() {
    let world = World::new();
    let (_web, dialer) = world.dialer(world.roots());
    world.writer.withdraw("the entry was deleted");
    let refusal = dialer.connect(wire().0, name()).await.unwrap_err();
    assert!(matches!(refusal, TlsError::NotLive(NotLive::Withdrawn(_))), "{refusal:?}");
}
