//! Callers that mean harm, or speak something else: each is refused by what it has said, and none is waited for.

use finial_receive::testing::start;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::TlsError;
use crate::fixtures::{
    CLIENT, Pair, Presented, SERVER, name, shake, shake_with_client, shake_with_server, stranger_client,
    stranger_server, wire,
};

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1], &length[..], payload].concat()
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What an attacker writes, by name.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("noise", (0..=255).rev().cycle().take(4096).collect()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n".to_vec()),
        ("an SSLv2 hello", vec![0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80, 3, 0, 0x80]),
        ("a record of 64 KiB", vec![HANDSHAKE, 3, 1, 0xff, 0xff, 1, 0, 0, 0]),
        ("a handshake message of 16 MiB", record(HANDSHAKE, &[1, 0xff, 0xff, 0xff, 3, 3])),
        ("a message that is no hello", record(HANDSHAKE, &[20, 0, 0, 0])),
        ("empty records in a row", record(HANDSHAKE, &[]).repeat(100)),
        ("data before the handshake", record(APPLICATION_DATA, b"data")),
        ("an alert", record(ALERT, &[2, 40])),
        ("changes of the cipher again and again", record(CHANGE_CIPHER_SPEC, &[1]).repeat(100)),
    ]
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_though_its_sender_stays() {
    let pair = Pair::new();
    for (attack, bytes) in attacks() {
        let (mut near, far) = wire();
        near.write_all(&bytes).await.unwrap();
        let acceptor = pair.acceptor();
        let refused = tokio::select! {
            biased;
            accepted = acceptor.accept(far) => accepted.unwrap_err(),
            () = turns() => panic!("{attack} is waited for"),
        };
        assert!(matches!(refused, TlsError::Handshake(_)), "{attack}: {refused}");
    }
}

/// Long enough for whatever needs no more bytes.
async fn turns() {
    for _ in 0..256 {
        tokio::task::yield_now().await;
    }
}

/// What a client says first.
async fn hello(pair: &Pair) -> Vec<u8> {
    let (near, mut far) = wire();
    let (connector, mut hello) = (pair.connector(), vec![0; 16 * 1024]);
    let read = async {
        let count = far.read(&mut hello).await.unwrap();
        hello.truncate(count);
    };
    tokio::select! {
        _ = connector.connect(near, name()) => panic!("nobody answers"),
        () = read => {}
    }
    hello
}

#[tokio::test]
async fn a_hello_that_breaks_off_anywhere_is_refused() {
    let pair = Pair::new();
    let hello = hello(&pair).await;
    for length in [0, 1, 4, 5, 6, 9, 40, hello.len() / 2, hello.len() - 1, hello.len()] {
        let (mut near, far) = wire();
        near.write_all(&hello[..length]).await.unwrap();
        // It listens on: a write that fails is another fault.
        near.shutdown().await.unwrap();
        let refused = pair.acceptor().accept(far).await.unwrap_err();
        assert!(matches!(refused, TlsError::Handshake(_)), "{length}: {refused}");
    }
}

#[tokio::test]
async fn a_hello_with_any_byte_changed_never_makes_a_peer() {
    let pair = Pair::new();
    let hello = hello(&pair).await;
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 0xff;
        let (mut near, far) = wire();
        near.write_all(&changed).await.unwrap();
        near.shutdown().await.unwrap();
        assert!(pair.acceptor().accept(far).await.is_err(), "byte {at}");
    }
}

#[tokio::test]
async fn keys_that_are_changed_without_end_end_the_connection() {
    let pair = Pair::new();
    let (near, far) = wire();
    let (acceptor, connector) = (pair.acceptor(), pair.connector());
    let (accepted, connected) = tokio::join!(acceptor.accept(far), connector.connect(near, name()));
    let (mut accepted, mut connected) = (accepted.unwrap().stream, connected.unwrap().stream);
    let flood = async {
        for _ in 0..1000 {
            let refreshed = connected.get_mut().1.refresh_traffic_keys();
            if refreshed.is_err() || connected.flush().await.is_err() {
                return;
            }
        }
    };
    let (read, ()) = tokio::join!(accepted.read_u8(), flood);
    assert!(read.is_err());
}

/// A certificate of the right peer below so many others, each of them signed by the right authority.
fn long_chain(pair: &Pair, id: &str, above: usize) -> Presented {
    let (mut chain, key) = pair.authority.leaf(id, start(), |_| {});
    let other = pair.authority.leaf("spiffe://example.org/other", start(), |_| {}).0.remove(0);
    chain.resize(1 + above, other);
    (chain, key)
}

#[tokio::test]
async fn a_peer_with_a_hundred_certificates_is_refused_and_its_next_try_with_one_is_not() {
    let pair = Pair::new();
    for version in [&TLS12, &TLS13] {
        let client = stranger_client(&[version], Some(long_chain(&pair, CLIENT, 99)));
        let refused = shake_with_client(&pair.acceptor(), &client).await.unwrap_err();
        assert!(
            matches!(&refused, TlsError::Untrusted(cause) if cause.to_string().contains("16")),
            "{refused}"
        );
        let client = stranger_client(&[version], Some(long_chain(&pair, CLIENT, 0)));
        shake_with_client(&pair.acceptor(), &client).await.unwrap();
    }
    let server = stranger_server(long_chain(&pair, SERVER, 99));
    let refused = shake_with_server(&pair.connector(), &server).await.unwrap_err();
    assert!(matches!(&refused, TlsError::Untrusted(cause) if cause.to_string().contains("16")), "{refused}");
}

#[tokio::test]
async fn certificates_of_more_than_64_kib_are_refused_unread() {
    let pair = Pair::new();
    let client = stranger_client(&[&TLS13], Some(long_chain(&pair, CLIENT, 400)));
    let (near, far) = wire();
    let connector = TlsConnector::from(client);
    // The sender is left alone with what it still had to say.
    let refused = tokio::select! {
        accepted = async { pair.acceptor().accept(far).await } => accepted.unwrap_err(),
        never = async { let _ = connector.connect(name(), near).await; std::future::pending().await } => never,
    };
    assert!(matches!(refused, TlsError::Handshake(_)), "{refused}");
}

/// A hello of TLS 1.3 with these extensions, in records of the greatest size.
fn hello_with(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, body)| [&kind.to_be_bytes()[..], &counted(body)[..]].concat())
        .collect();
    let suites = counted(&[0x13, 1, 0x13, 2]);
    let body = [&[3, 3][..], &[7; 32], &[0], &suites, &[1, 0], &counted(&extensions)].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    message.chunks(16 * 1024).flat_map(|part| record(HANDSHAKE, part)).collect()
}

/// Behind its length in two bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

#[tokio::test]
async fn hellos_with_huge_lists_of_names_and_protocols_are_refused_and_the_next_is_not() {
    let pair = Pair::new();
    let named = |name: &[u8]| [&[0][..], &counted(name)].concat();
    let names = counted(&named(b"server.test").repeat(4_000));
    let one_name = counted(&named(&[b'a'; 60_000]));
    let protocols = counted(&[&[255][..], &[b'p'; 255]].concat().repeat(250));
    let short_protocols = counted(&[1, b'p'].repeat(31_000));
    let acceptor = pair.acceptor().with_alpn(["h2", "http/1.1"]);
    for (attack, extensions) in [
        ("4,000 names", vec![(SERVER_NAME, names)]),
        ("a name of 60,000 bytes", vec![(SERVER_NAME, one_name)]),
        ("64,000 bytes of protocols", vec![(ALPN, protocols)]),
        ("31,000 protocols", vec![(ALPN, short_protocols)]),
        ("the same name again and again", vec![(SERVER_NAME, counted(&named(b"server.test"))); 2_000]),
        ("9,000 extensions of no known kind", (1_000..10_000).map(|kind| (kind, vec![])).collect()),
    ] {
        let (mut near, far) = tokio::io::duplex(256 * 1024);
        near.write_all(&hello_with(&extensions)).await.unwrap();
        let refused = tokio::select! {
            biased;
            accepted = acceptor.accept(far) => accepted.unwrap_err(),
            () = turns() => panic!("{attack} is waited for"),
        };
        assert!(matches!(refused, TlsError::Handshake(_)), "{attack}: {refused}");
        let (accepted, _) = shake(&acceptor, &pair.connector()).await;
        accepted.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_offers_as_many_protocols_as_fit_agrees_on_the_one_that_is_served() {
    let pair = Pair::new();
    let acceptor = pair.acceptor().with_alpn(["http/1.1"]);
    let offered = (0..6_000).map(|number| format!("p{number}")).chain(["http/1.1".to_owned()]);
    let (accepted, _) = shake(&acceptor, &pair.connector().with_alpn(offered)).await;
    assert_eq!(accepted.unwrap().stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}
