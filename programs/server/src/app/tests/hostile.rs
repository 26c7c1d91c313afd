//! Callers that are slow, silent or too many: they are cut off, and the others are served meanwhile.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use finial_keys::{DiskKeys, KeyManager};
use finial_wire::client::{BundleClient, EntryClient};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::fixture::Server;
use crate::listener::MAX_CONNECTIONS_OF_ONE;
use crate::{KeysConfig, StoreConfig};

/// Of HTTP/2, and of TLS: good so far, and never more.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HALF_A_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

/// Lets time pass, and serves an operator meanwhile, until the server has closed the stream.
async fn cut_off(server: &Server, stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let mut passed = Duration::ZERO;
    let mut rest = [0; 4096];
    loop {
        tokio::select! {
            biased;
            // What a server says before it has heard anything, such as its settings.
            read = stream.read(&mut rest) => if !matches!(read, Ok(1..)) { return passed },
            bundle = async { BundleClient::new(server.operator()).bundle().await } => {
                bundle.unwrap();
                server.hand.step(Duration::from_secs(1));
                passed += Duration::from_secs(1);
            }
        }
        assert!(passed < Duration::from_secs(90), "a silent caller is still connected");
    }
}

#[tokio::test]
async fn callers_that_never_finish_the_handshake_are_cut_off() {
    let server = Server::start().await;
    for begun in [&[][..], HALF_A_HELLO] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        assert!(cut_off(&server, &mut stream).await <= Duration::from_secs(20));
    }
    server.stop().await;
}

#[tokio::test]
async fn balancers_that_never_finish_their_header_are_cut_off() {
    let server = Server::start_with(|config| {
        config.store = StoreConfig::Memory;
        config.keys = KeysConfig::Memory;
        config.proxy_protocol_trusted_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    for begun in ["", "PROXY TCP4 ", "\r\n\r\n\0"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        assert!(cut_off(&server, &mut stream).await <= Duration::from_secs(20));
    }
    server.stop().await;
}

#[tokio::test]
async fn callers_by_tcp_that_ask_nothing_are_cut_off() {
    let server = Server::start().await;
    let agent = server.agent().await;
    for credential in [None, Some(agent.credential.clone())] {
        for begun in [&[][..], PREFACE] {
            let mut stream = server.dial(credential.clone()).await;
            stream.write_all(begun).await.unwrap();
            stream.flush().await.unwrap();
            assert!(cut_off(&server, &mut stream).await >= Duration::from_secs(20));
        }
    }
    // One that has asked goes on.
    assert!(EntryClient::new(agent.channel.clone()).authorized_entries().await.unwrap().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn callers_at_the_unix_socket_that_ask_nothing_are_cut_off() {
    let server = Server::start().await;
    for begun in [&[][..], PREFACE] {
        let mut stream = UnixStream::connect(&server.socket).await.unwrap();
        stream.write_all(begun).await.unwrap();
        assert!(cut_off(&server, &mut stream).await >= Duration::from_secs(20));
    }
    server.stop().await;
}

#[tokio::test]
async fn five_hundred_silent_callers_keep_nobody_waiting() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let agent = server.agent().await;
    assert!(EntryClient::new(agent.channel).authorized_entries().await.unwrap().is_empty());
    drop(silent);
    server.stop().await;
}

#[tokio::test]
async fn one_identity_takes_so_many_connections_and_no_more() {
    let server = Server::start().await;
    let (thief, other) = (server.agent().await, server.agent().await);
    let mut taken = Vec::new();
    // Its own channel is one.
    EntryClient::new(thief.channel.clone()).authorized_entries().await.unwrap();
    for _ in 1..MAX_CONNECTIONS_OF_ONE {
        taken.push(server.dial(Some(thief.credential.clone())).await);
    }
    let mut surplus = server.dial(Some(thief.credential.clone())).await;
    assert!(!matches!(surplus.read(&mut [0]).await, Ok(1..)), "a connection beyond the limit is open");
    assert!(EntryClient::new(other.channel).authorized_entries().await.unwrap().is_empty());
    assert!(EntryClient::new(thief.channel).authorized_entries().await.unwrap().is_empty());
    drop(taken);
    server.stop().await;
}

#[tokio::test]
async fn the_database_holds_no_key() {
    let server = Server::start_with(|_| {}).await;
    server.agent().await;
    let folder = server.stop().await;
    let keys = DiskKeys::open(folder.path().join("keys.json")).unwrap().keys().await.unwrap();
    assert!(!keys.is_empty());
    let database = std::fs::read(folder.path().join("datastore.sqlite3")).unwrap();
    let holds = |needle: &[u8]| database.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"spiffe://example.org/spire/agent/join_token/"), "it is not the database");
    for key in keys {
        // The private number of a P-256 key in PKCS#8.
        let secret = &key.local().expect("a key of a file is here").pkcs8_der()[36..68];
        assert!(!holds(secret), "{}", key.id());
        // However it is aligned in a longer text.
        for skip in 0..3 {
            let text = BASE64_STANDARD_NO_PAD.encode(&secret[skip..skip + 27]);
            assert!(!holds(text.as_bytes()), "{} in base64", key.id());
        }
    }
}
