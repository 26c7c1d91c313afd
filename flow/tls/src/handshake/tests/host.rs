//! A server that is looked for by the host that was dialled.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::{BundleSet, X509Credential, X509Svid};
use finial_receive::testing::{Authority, start};
use finial_receive::{NotLive, Source};
use rcgen::SanType;

use crate::fixtures::{CLIENT, clock, only, party, shake, shake_with_server, stranger_server};
use crate::{Acceptor, Connector, TlsError};

/// The server is dialled as `server.test`, has an SVID of this ID and names from `authority`, and everybody trusts both
/// trust domains.
async fn dial(id: &str, names: &[&str], authority: &Authority, own: &Authority) -> Result<(), TlsError> {
    let (clock, _) = clock();
    let bundles: BundleSet = [authority.bundle(), own.bundle()].into_iter().collect();
    let (chain, key) = authority.leaf(id, start(), |params| {
        let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
        params.subject_alt_names.extend(names);
    });
    let credential = X509Credential::new(X509Svid::from_chain(chain).unwrap(), key, String::new()).unwrap();
    let (server_writer, server) = Source::channel(&clock);
    server_writer.publish(vec![credential], bundles.clone()).unwrap();
    let (_client_writer, client) = party(own, CLIENT, bundles, &clock);
    let (_, connected) = shake(&Acceptor::new(&server, only(CLIENT)), &Connector::by_host(&client)).await;
    connected.map(drop)
}

const DB: &str = "spiffe://example.org/db";

#[tokio::test]
async fn a_server_of_our_domain_with_the_name_is_accepted() {
    let own = Authority::new("example.org");
    dial(DB, &["other.test", "server.test"], &own, &own).await.unwrap();
}

#[tokio::test]
async fn a_server_of_our_domain_with_another_name_or_none_is_refused_with_what_it_has() {
    let own = Authority::new("example.org");
    for names in [&["other.test"][..], &[]] {
        match dial(DB, names, &own, &own).await.unwrap_err() {
            TlsError::WrongHost { id, host, names: found } => {
                assert_eq!((id.as_str(), host.as_str()), (DB, "server.test"));
                assert_eq!(found, names);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_of_another_trust_domain_is_refused_whatever_its_names() {
    let (own, federated) = (Authority::new("example.org"), Authority::new("partner.test"));
    let refusal = dial("spiffe://partner.test/db", &["server.test"], &federated, &own).await.unwrap_err();
    assert!(matches!(refusal, TlsError::Unauthorized { id } if id.as_str() == "spiffe://partner.test/db"));
}

#[tokio::test]
async fn without_an_identity_there_is_no_own_domain_and_nobody_is_accepted() {
    let own = Authority::new("example.org");
    let (clock, _) = clock();
    let (writer, client) = Source::channel(&clock);
    writer.publish_anonymous(own.bundles());
    assert!(matches!(client.credential(), Err(NotLive::Anonymous)));
    let server = stranger_server(own.leaf(DB, start(), |params| {
        params.subject_alt_names.push(SanType::DnsName("server.test".try_into().unwrap()));
    }));
    let refusal = shake_with_server(&Connector::by_host(&client), &server).await.unwrap_err();
    assert!(matches!(refusal, TlsError::Unauthorized { .. }), "{refusal:?}");
}
