//! Who ends a connection first, and how, with bytes on their way: what the other end must see, in both modes.

use std::io::{ErrorKind, Result};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::fixtures::{CLIENT, SERVER, World, app, beside, listener, name};
use crate::{Config, Limits};

#[derive(Clone, Copy, Debug)]
enum Mode {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug)]
enum First {
    Caller,
    Target,
}

/// Each mode, with each end as the one that ends first.
const CASES: [(Mode, First); 4] = [
    (Mode::Server, First::Caller),
    (Mode::Server, First::Target),
    (Mode::Client, First::Caller),
    (Mode::Client, First::Target),
];

/// Which of these have TLS at the end that ends first.
const SECURED: [(Mode, First); 2] = [(Mode::Server, First::Caller), (Mode::Client, First::Target)];

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

type End = Box<dyn Stream>;

/// Keeps hold of little, so that more is on its way.
const RECEIVED: usize = 4 * 1024;

/// More than two connections hold that receive little.
const MUCH: u32 = 512 * 1024;
/// What the proxy has received in any case when its sender leaves.
const SOME: u32 = 32 * 1024;

fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect()
}

async fn all(end: &mut End) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    end.read_to_end(&mut bytes).await.map(|_| bytes)
}

/// Lets `test` have both ends of a connection through a proxy: the one that ends first, and the other. An abrupt one
/// resets its connection when it is dropped.
async fn between<T>(
    (mode, first): (Mode, First),
    abrupt: bool,
    limits: Limits,
    test: impl AsyncFnOnce(End, End, &World) -> T,
) -> T {
    let world = World::new();
    let (listener, target) = listener().await;
    SockRef::from(&listener).set_recv_buffer_size(RECEIVED).unwrap();
    let (own, config): (_, Config) = match mode {
        Mode::Server => (SERVER, crate::ServerConfig { limits, ..world.server(target) }.into()),
        Mode::Client => (CLIENT, crate::ClientConfig { limits, ..world.client(target) }.into()),
    };
    let (_writer, source) = world.party(own);
    let app = app(config, source).await.unwrap();
    let address = app.address().unwrap();
    let linger = |stream: &TcpStream, whose: First| {
        if abrupt && matches!((first, whose), (First::Caller, First::Caller) | (First::Target, First::Target))
        {
            stream.set_zero_linger().unwrap();
        }
    };
    beside(app, &world.clock, async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(u32::try_from(RECEIVED).unwrap()).unwrap();
        let caller = socket.connect(address).await.unwrap();
        linger(&caller, First::Caller);
        let (caller, target): (End, End) = match mode {
            Mode::Server => {
                let caller = world.connector(CLIENT, SERVER).connect(caller, name()).await.unwrap().stream;
                let (target, _) = listener.accept().await.unwrap();
                linger(&target, First::Target);
                (Box::new(caller), Box::new(target))
            }
            Mode::Client => {
                let (target, _) = listener.accept().await.unwrap();
                linger(&target, First::Target);
                let target = world.acceptor(SERVER, CLIENT).accept(target).await.unwrap().stream;
                (Box::new(caller), Box::new(target))
            }
        };
        match first {
            First::Caller => test(caller, target, &world).await,
            First::Target => test(target, caller, &world).await,
        }
    })
    .await
}

#[tokio::test]
async fn all_that_was_said_before_an_end_arrives_and_the_other_may_go_on() {
    for case in CASES {
        between(case, false, Limits::default(), async |mut first, mut other, _: &World| {
            let bytes = bytes(MUCH);
            let ends = async {
                first.write_all(&bytes).await.unwrap();
                first.shutdown().await.unwrap();
                all(&mut first).await.unwrap()
            };
            let answers = async {
                let heard = all(&mut other).await.unwrap();
                other.write_all(&bytes).await.unwrap();
                other.shutdown().await.unwrap();
                heard
            };
            let (answer, heard) = tokio::join!(ends, answers);
            assert!(heard == bytes && answer == bytes, "{case:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn all_arrives_of_an_end_that_has_left_when_the_other_still_speaks_to_it() {
    for case in CASES {
        between(case, false, Limits::default(), async |mut first, mut other, _: &World| {
            let bytes = bytes(SOME);
            first.write_all(&bytes).await.unwrap();
            first.shutdown().await.unwrap();
            drop(first);
            // The first is answered by a reset, the later ones cannot be written.
            for _ in 0..64 {
                other.write_all(b"are you there?").await.unwrap();
                other.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            assert!(all(&mut other).await.unwrap() == bytes, "{case:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_comes_for_an_end_that_has_left_costs_the_other_none_of_what_it_hears() {
    // As a server that refuses a large request, answers, and closes without reading the rest.
    for case in CASES {
        between(case, false, Limits::default(), async |mut first, other, _: &World| {
            let bytes = bytes(SOME);
            let (mut hears, mut speaks) = tokio::io::split(other);
            first.write_all(&bytes).await.unwrap();
            first.shutdown().await.unwrap();
            drop(first);
            let heard = async {
                let mut heard = Vec::new();
                hears.read_to_end(&mut heard).await.unwrap();
                heard
            };
            let speech = async {
                for _ in 0..8 {
                    speaks.write_all(&bytes).await.unwrap();
                }
                speaks.shutdown().await.unwrap();
            };
            assert!(tokio::join!(heard, speech).0 == bytes, "{case:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_end_that_resets_is_never_taken_for_one_in_order() {
    for case in CASES {
        between(case, true, Limits::default(), async |mut first, mut other, _: &World| {
            first.write_all(&bytes(1000)).await.unwrap();
            first.flush().await.unwrap();
            let mut heard = [0; 1000];
            other.read_exact(&mut heard).await.unwrap();
            drop(first);
            let kind = all(&mut other).await.unwrap_err().kind();
            let expected = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
            assert!(expected.contains(&kind), "{case:?}: {kind}");
        })
        .await;
    }
}

#[tokio::test]
async fn tls_that_ends_without_saying_so_is_a_reset_for_the_plain_end() {
    for case in SECURED {
        between(case, false, Limits::default(), async |mut first, mut other, _: &World| {
            first.write_all(b"half an ans").await.unwrap();
            first.flush().await.unwrap();
            let mut half = [0; 11];
            other.read_exact(&mut half).await.unwrap();
            drop(first);
            let kind = all(&mut other).await.unwrap_err().kind();
            assert_eq!(kind, ErrorKind::ConnectionReset, "{case:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_holds_up_the_other_and_costs_no_more_than_buffers() {
    // Far more than the kernel holds for two connections.
    const FLOOD: u64 = 64 << 20;
    for case in CASES {
        between(case, false, Limits::default(), async |mut first, other, _: &World| {
            let mut taken = 0;
            let chunk = vec![b'x'; 64 * 1024];
            // As long as it is taken at once or soon: when nothing has happened for many turns, nothing will.
            let mut quiet = 0;
            while taken < FLOOD && quiet < 1000 {
                let written = tokio::select! {
                    biased;
                    written = first.write(&chunk) => Some(written.unwrap()),
                    () = tokio::task::yield_now() => None,
                };
                match written {
                    Some(count) => (taken, quiet) = (taken + count as u64, 0),
                    None => quiet += 1,
                }
            }
            assert!(taken < FLOOD, "{case:?}: {taken} bytes were taken for one that does not read");
            drop(other);
        })
        .await;
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_is_cut_when_its_lifetime_is_over() {
    let limits = Limits { lifetime: Duration::from_secs(3600), ..Limits::default() };
    for case in CASES {
        between(case, false, limits.clone(), async |mut first, other, world: &World| {
            let flood = async {
                let chunk = vec![b'x'; 64 * 1024];
                while first.write_all(&chunk).await.is_ok() && first.flush().await.is_ok() {}
            };
            tokio::join!(flood, async {
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                world.hand.step(limits.lifetime);
            });
            drop(other);
        })
        .await;
    }
}
