//! What handshakes agree on when less is offered.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_receive::testing::start;
use rustls::ProtocolVersion::{self, TLSv1_2, TLSv1_3};

use super::{Offer, Suites};
use crate::HandshakeSettings;
use crate::fixtures::{Pair, SERVER, shake, shake_with_server, stranger_server};

fn offering(offer: Offer) -> HandshakeSettings {
    HandshakeSettings { offer, ..HandshakeSettings::default() }
}

/// The version, the suite and the group of a handshake with these offers; `None` when there is none.
async fn agreed(server: Offer, client: Offer) -> Option<(ProtocolVersion, String, String)> {
    let pair = Pair::new();
    let (acceptor, connector) =
        (pair.acceptor().with_settings(offering(server)), pair.connector().with_settings(offering(client)));
    let (accepted, connected) = shake(&acceptor, &connector).await;
    let stream = connected.ok()?.stream;
    accepted.ok()?;
    let connection = stream.get_ref().1;
    let suite = connection.negotiated_cipher_suite()?.suite();
    let group = connection.negotiated_key_exchange_group()?.name();
    Some((connection.protocol_version()?, format!("{suite:?}"), format!("{group:?}")))
}

#[tokio::test]
async fn the_newest_of_all_is_the_default() {
    let (version, _, group) = agreed(Offer::default(), Offer::default()).await.unwrap();
    assert_eq!((version, group.as_str()), (TLSv1_3, "X25519MLKEM768"));
}

#[tokio::test]
async fn either_side_can_do_without_tls_1_3() {
    let old = Offer::default().up_to_tls12();
    for (server, client) in
        [(old.clone(), Offer::default()), (Offer::default(), old.clone()), (old.clone(), old)]
    {
        let (version, suite, group) = agreed(server, client).await.unwrap();
        assert_eq!(version, TLSv1_2);
        assert!(suite.starts_with("TLS_ECDHE_ECDSA_WITH_AES_"), "{suite}");
        assert_ne!(group, "X25519MLKEM768");
    }
}

#[tokio::test]
async fn only_the_suites_that_were_chosen_are_agreed_on() {
    for (suites, within) in [(Suites::ChaCha, "CHACHA20_POLY1305"), (Suites::Aes, "AES")] {
        for offer in [Offer::default(), Offer::default().up_to_tls12()] {
            let (_, suite, _) = agreed(offer.clone().with_suites(&[suites]), offer).await.unwrap();
            assert!(suite.contains(within), "{suite}");
        }
    }
}

#[tokio::test]
async fn a_client_offers_the_first_family_first() {
    let pair = Pair::new();
    // It goes by the order of its clients.
    let server = stranger_server(pair.authority.leaf(SERVER, start(), |_| {}));
    for (suites, first) in
        [([Suites::ChaCha, Suites::Aes], "CHACHA20"), ([Suites::Aes, Suites::ChaCha], "AES")]
    {
        let connector = pair.connector().with_settings(offering(Offer::default().with_suites(&suites)));
        let connected = shake_with_server(&connector, &server).await.unwrap();
        let suite = connected.stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
        assert!(suite.as_str().unwrap().contains(first), "{suite:?}");
    }
}

#[tokio::test]
async fn a_server_goes_by_its_own_order() {
    let (aes, chacha) = ([Suites::Aes, Suites::ChaCha], [Suites::ChaCha, Suites::Aes]);
    for (server, client, first) in [(chacha, aes, "CHACHA20"), (aes, chacha, "AES")] {
        let offer = |suites| Offer::default().with_suites(suites);
        let (_, suite, _) = agreed(offer(&server), offer(&client)).await.unwrap();
        assert!(suite.contains(first), "{suite}");
    }
}

#[tokio::test]
async fn ends_that_have_no_suite_in_common_do_not_meet() {
    let (aes, chacha) = ([Suites::Aes], [Suites::ChaCha]);
    assert_eq!(agreed(Offer::default().with_suites(&aes), Offer::default().with_suites(&chacha)).await, None);
}

#[test]
fn no_suite_at_all_means_all_of_them() {
    assert_eq!(
        Offer::default().with_suites(&[]).provider().cipher_suites.len(),
        Offer::default().provider().cipher_suites.len()
    );
}

#[tokio::test]
async fn what_must_be_quantum_safe_is_or_there_is_no_handshake() {
    let safe = Offer::quantum_safe;
    for (server, client) in [(safe(), safe()), (safe(), Offer::default()), (Offer::default(), safe())] {
        let (version, _, group) = agreed(server, client).await.unwrap();
        assert_eq!((version, group.as_str()), (TLSv1_3, "X25519MLKEM768"));
    }
    let old = Offer::default().up_to_tls12();
    assert!(agreed(safe(), old.clone()).await.is_none());
    assert!(agreed(old, safe()).await.is_none());
    let mut classic = Offer::default();
    let kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    let provider = rustls::crypto::CryptoProvider { kx_groups, ..(*classic.provider).clone() };
    classic.provider = std::sync::Arc::new(provider);
    assert!(agreed(safe(), classic.clone()).await.is_none());
    assert!(agreed(classic, safe()).await.is_none());
}
