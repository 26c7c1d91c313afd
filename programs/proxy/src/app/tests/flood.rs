//! Callers that say nothing, or not enough, while others want to be served.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixtures::{CLIENT, SERVER, World, app, beside, dial, listener, name};
use crate::{Limits, ServerConfig};

/// So many that say nothing.
async fn silent(address: std::net::SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(dial(address).await);
    }
    silent
}

#[tokio::test]
async fn silent_callers_take_no_slot_from_those_who_show_who_they_are() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let limits = Limits { connections: 2, ..Limits::default() };
    let app = app(ServerConfig { limits, ..world.server(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let _silent = silent(address, 20).await;
        let connector = world.connector(CLIENT, SERVER);
        let mut open = connector.connect(dial(address).await, name()).await.unwrap().stream;
        let (mut served, _) = backend.accept().await.unwrap();
        served.write_all(b"!").await.unwrap();
        assert_eq!(open.read_u8().await.unwrap(), b'!');
    })
    .await;
}

#[tokio::test]
async fn who_has_shown_who_they_are_wait_for_a_slot() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let limits = Limits { connections: 1, ..Limits::default() };
    let app = app(ServerConfig { limits, ..world.server(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let connector = world.connector(CLIENT, SERVER);
        // Both are accepted before the slot is taken.
        let (first, second) = (dial(address).await, dial(address).await);
        let (first, second) =
            tokio::join!(connector.connect(first, name()), connector.connect(second, name()));
        let (first, second) = (first.unwrap().stream, second.unwrap().stream);
        let (served, _) = backend.accept().await.unwrap();
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            biased;
            _ = backend.accept() => panic!("there is one slot"),
            () = std::future::ready(()) => {}
        }
        drop((first, second, served));
        backend.accept().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn silent_callers_give_way_when_others_come() {
    // Both ends of every connection are in this process.
    finial_daemon::descriptors::raise_limit().unwrap();
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let limits = Limits { connections: 1, ..Limits::default() };
    let app = app(ServerConfig { limits, ..world.server(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        // As many as there are places for handshakes.
        let mut silent = silent(address, 256).await;
        let caller = dial(address).await;
        let connector = world.connector(CLIENT, SERVER);
        let (connected, ()) = tokio::join!(connector.connect(caller, name()), async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            world.hand.step(Duration::from_secs(1));
        });
        connected.unwrap();
        backend.accept().await.unwrap();
        // The one that has waited longest has gone, and no other.
        let left = silent.remove(0).read_u8().await.unwrap_err().kind();
        assert!([ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof].contains(&left), "{left}");
        let still = silent[0].try_read(&mut [0]).unwrap_err().kind();
        assert_eq!(still, ErrorKind::WouldBlock);
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_drips_ends_with_the_connect_timeout() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut slow = dial(address).await;
        // Each byte is progress, and none of it buys time.
        for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc] {
            slow.write_u8(byte).await.unwrap();
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
            world.hand.step(Duration::from_secs(1));
        }
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        assert_eq!(slow.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        world.hand.step(Duration::from_secs(1));
        assert!(slow.read_u8().await.is_err());
    })
    .await;
}
