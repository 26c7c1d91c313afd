//! Certificates that are wrong in one respect, presented by clients and by servers.

use std::time::Duration;

use finial_identity::{BundleSet, CLOCK_SKEW, X509Error};
use finial_receive::testing::{Authority, SVID_TTL, start};
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, SanType};
use rustls::version::{TLS12, TLS13};

use crate::fixtures::{
    CLIENT, Pair, Presented, SERVER, clock, id, only, party, shake, shake_with_client, shake_with_server,
    stranger_client, stranger_server,
};
use crate::{Acceptor, Connector, HandshakeSettings, Policy, TlsError};

/// Both directions, the client in both versions: refused as untrusted, and `why` says it is for the right reason.
async fn refused(
    pair: &Pair,
    as_client: impl Fn() -> Presented,
    as_server: impl Fn() -> Presented,
    why: Why,
) {
    for version in [&TLS12, &TLS13] {
        let client = stranger_client(&[version], Some(as_client()));
        untrusted(shake_with_client(&pair.acceptor(), &client).await, why);
    }
    untrusted(shake_with_server(&pair.connector(), &stranger_server(as_server())).await, why);
}

type Why = fn(&X509Error) -> bool;

fn by_leaf(cause: &X509Error) -> bool {
    matches!(cause, X509Error::Leaf(_) | X509Error::SpiffeId(_))
}

fn by_chain(cause: &X509Error) -> bool {
    matches!(cause, X509Error::Chain(_))
}

fn untrusted<T: std::fmt::Debug>(outcome: Result<T, TlsError>, why: Why) {
    match outcome {
        Err(TlsError::Untrusted(cause)) => assert!(why(&cause), "{cause:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rule_2_an_id_signed_by_the_authority_of_another_trust_domain_is_refused() {
    let abroad = Authority::new("other.org");
    let mut pair = Pair::new();
    // Both know both domains: a pool of all roots would accept.
    let both: BundleSet = [pair.authority.bundle(), abroad.bundle()].into_iter().collect();
    for (writer, name) in [(&mut pair.server_writer, SERVER), (&mut pair.client_writer, CLIENT)] {
        writer.publish(vec![pair.authority.credential(name)], both.clone()).unwrap();
    }
    refused(
        &pair,
        || abroad.leaf(CLIENT, start(), |_| {}),
        || abroad.leaf(SERVER, start(), |_| {}),
        by_chain,
    )
    .await;
}

#[tokio::test]
async fn rule_2_a_peer_of_a_domain_without_a_bundle_is_refused_whatever_the_policy_says() {
    let (pair, abroad) = (Pair::new(), Authority::new("other.org"));
    let foreign = abroad.leaf("spiffe://other.org/x", start(), |_| {});
    let acceptor = Acceptor::new(&pair.server, Policy::members_of(id("spiffe://other.org").trust_domain()));
    let accepted =
        shake_with_client(&acceptor, &stranger_client(&[&TLS13], Some(foreign))).await.unwrap_err();
    assert!(matches!(accepted, TlsError::Untrusted(cause) if matches!(*cause, X509Error::NoBundle(_))));
}

#[tokio::test]
async fn a_federated_peer_is_accepted_where_the_policy_names_it() {
    let (home, abroad) = (Authority::new("example.org"), Authority::new("other.org"));
    let (clock, _hand) = clock();
    let both: BundleSet = [home.bundle(), abroad.bundle()].into_iter().collect();
    let (_writer, server) = party(&home, SERVER, both.clone(), &clock);
    let (_writer, client) = party(&abroad, "spiffe://other.org/x", both, &clock);
    let connector = Connector::new(&client, only(SERVER));
    let (accepted, _) = shake(&Acceptor::new(&server, only("spiffe://other.org/x")), &connector).await;
    assert_eq!(accepted.unwrap().peer.spiffe_id().as_str(), "spiffe://other.org/x");
    let (accepted, _) = shake(&Acceptor::new(&server, only(CLIENT)), &connector).await;
    assert!(matches!(accepted, Err(TlsError::Unauthorized { .. })));
}

#[tokio::test]
async fn rule_3_a_signing_certificate_is_refused_as_a_leaf() {
    let pair = Pair::new();
    let authority = |id: &str| {
        pair.authority.leaf(id, start(), |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        })
    };
    refused(&pair, || authority(CLIENT), || authority(SERVER), by_leaf).await;
}

#[tokio::test]
async fn rule_3_a_leaf_that_may_sign_certificates_is_refused() {
    let pair = Pair::new();
    for usage in [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign] {
        let leaf = |id: &str| {
            pair.authority.leaf(id, start(), |params| {
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature, usage];
            })
        };
        refused(&pair, || leaf(CLIENT), || leaf(SERVER), by_leaf).await;
    }
}

#[tokio::test]
async fn rule_3_a_leaf_with_two_uris_or_no_path_is_refused() {
    let pair = Pair::new();
    let two = |id: &str| {
        pair.authority.leaf(id, start(), |params| {
            params.subject_alt_names.push(SanType::URI("https://example.org/".try_into().unwrap()));
        })
    };
    refused(&pair, || two(CLIENT), || two(SERVER), by_leaf).await;
    let root = || pair.authority.leaf("spiffe://example.org", start(), |_| {});
    refused(&pair, root, root, by_leaf).await;
}

#[tokio::test]
async fn an_expired_peer_and_one_from_the_future_are_refused() {
    let pair = Pair::new();
    for issued_at in [start() - SVID_TTL * 2, start() + SVID_TTL] {
        let leaf = |id: &str| pair.authority.leaf(id, issued_at, |_| {});
        refused(&pair, || leaf(CLIENT), || leaf(SERVER), by_chain).await;
    }
}

#[tokio::test]
async fn an_authority_that_the_bundle_does_not_hold_is_refused_whatever_domain_it_claims() {
    let (pair, impostor) = (Pair::new(), Authority::new("example.org"));
    refused(
        &pair,
        || impostor.leaf(CLIENT, start(), |_| {}),
        || impostor.leaf(SERVER, start(), |_| {}),
        by_chain,
    )
    .await;
}

#[tokio::test]
async fn a_trusted_peer_that_the_policy_does_not_permit_is_refused_in_both_directions() {
    const TEXT: &str = "unauthorized: invalid principal, or principal not allowed";
    let pair = Pair::new();
    let (accepted, _) = shake(&Acceptor::new(&pair.server, only(SERVER)), &pair.connector()).await;
    let refusal = accepted.unwrap_err();
    assert!(matches!(&refusal, TlsError::Unauthorized { id } if id.as_str() == CLIENT));
    assert_eq!(refusal.to_string(), TEXT);

    let (_, connected) = shake(&pair.acceptor(), &Connector::new(&pair.client, only(CLIENT))).await;
    let refusal = connected.unwrap_err();
    assert!(matches!(&refusal, TlsError::Unauthorized { id } if id.as_str() == SERVER));
    assert_eq!(refusal.to_string(), TEXT);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let pair = Pair::new();
    for version in [&TLS12, &TLS13] {
        let accepted = shake_with_client(&pair.acceptor(), &stranger_client(&[version], None)).await;
        assert!(matches!(accepted, Err(TlsError::NoCertificate)), "{accepted:?}");
    }
}

#[tokio::test]
async fn a_bad_certificate_is_refused_also_where_none_is_required() {
    let (pair, impostor) = (Pair::new(), Authority::new("example.org"));
    let client = stranger_client(&[&TLS13], Some(impostor.leaf(CLIENT, start(), |_| {})));
    let (near, far) = crate::fixtures::wire();
    let connector = tokio_rustls::TlsConnector::from(client);
    let acceptor = pair.acceptor();
    let name = crate::fixtures::name();
    let (accepted, _) = tokio::join!(acceptor.accept_optional(far), connector.connect(name, near));
    assert!(matches!(accepted, Err(TlsError::Untrusted(_))));
}

#[tokio::test]
async fn a_peer_from_the_future_is_refused_unless_the_clocks_may_differ_by_so_much() {
    let pair = Pair::new();
    let skewed = || HandshakeSettings { skew: CLOCK_SKEW, ..HandshakeSettings::default() };
    let credential = pair.authority.credential(SERVER);
    let (second, starts) = (Duration::from_secs(1), credential.svid().not_before());
    for (now, tolerated) in [(starts - CLOCK_SKEW, true), (starts - CLOCK_SKEW - second, false)] {
        pair.hand.set(now);
        let (_, strict) = shake(&pair.acceptor(), &pair.connector()).await;
        untrusted(strict, by_chain);
        let (acceptor, connector) =
            (pair.acceptor().with_settings(skewed()), pair.connector().with_settings(skewed()));
        let (accepted, connected) = shake(&acceptor, &connector).await;
        assert_eq!(connected.is_ok(), tolerated, "{connected:?}");
        assert_eq!(accepted.is_ok(), tolerated, "{accepted:?}");
    }
}

#[tokio::test]
async fn no_peer_counts_for_longer_because_clocks_may_differ() {
    let pair = Pair::new();
    let settings = HandshakeSettings { skew: CLOCK_SKEW, ..HandshakeSettings::default() };
    let presented = pair.authority.leaf(SERVER, start(), |_| {});
    let connector = pair.connector().with_settings(settings);
    pair.hand.set(start() + SVID_TTL);
    let fresh = pair.authority.credential_at(CLIENT, start() + SVID_TTL);
    pair.client_writer.publish(vec![fresh], pair.authority.bundles()).unwrap();
    let server = stranger_server(presented);
    shake_with_server(&connector, &server).await.unwrap();
    pair.hand.step(Duration::from_secs(1));
    untrusted(shake_with_server(&connector, &server).await, by_chain);
}
