//! Callers that mean harm, or speak something else: each is refused by what it has said, and none is waited for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::TlsError;
use crate::fixtures::{Pair, name, wire};

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
