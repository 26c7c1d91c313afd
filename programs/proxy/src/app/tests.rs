//! Proxies on loopback, between peers that are no proxies.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clock;
mod ends;
mod flood;
mod hostile_status;
mod reload;
mod status;
mod successor;
mod targets;
mod trust;
mod way;
mod web;

use std::io::{ErrorKind, Write};
use std::time::Duration;

use finial_daemon::Tasks;
use finial_receive::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::ProxyError;
use crate::fixtures::{
    CLIENT, SERVER, STRANGER, World, app, beside, dial, listener, local, name, proxy, read_to_end,
};
use crate::gate::Notices;
use crate::plain::Plain;

#[tokio::test]
async fn permitted_caller_speaks_with_the_backend_and_each_end_is_passed_on() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    let caller = async {
        let stream = dial(address).await;
        let mut stream = world.connector(CLIENT, SERVER).connect(stream, name()).await.unwrap().stream;
        stream.write_all(b"question").await.unwrap();
        stream.shutdown().await.unwrap();
        read_to_end(&mut stream).await.unwrap()
    };
    let server = async {
        let (mut stream, _) = backend.accept().await.unwrap();
        let question = read_to_end(&mut stream).await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        question
    };
    let said = beside(app, &world.clock, async { tokio::join!(caller, server) }).await;
    assert_eq!(said, ("answer".to_owned(), "question".to_owned()));
}

#[tokio::test]
async fn caller_that_is_not_permitted_never_reaches_the_backend() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let connector = world.connector(STRANGER, SERVER);
        if let Ok(mut secured) = connector.connect(dial(address).await, name()).await {
            assert!(secured.stream.read_u8().await.is_err());
        }
        tokio::select! {
            biased;
            _ = backend.accept() => panic!("the backend was reached"),
            () = std::future::ready(()) => {}
        }
    })
    .await;
}

#[tokio::test]
async fn backend_that_breaks_off_is_no_end_in_order_for_the_caller() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let stream = dial(address).await;
        let mut stream = world.connector(CLIENT, SERVER).connect(stream, name()).await.unwrap().stream;
        let (mut broken, _) = backend.accept().await.unwrap();
        broken.write_all(b"half an ans").await.unwrap();
        let mut half = [0; 11];
        stream.read_exact(&mut half).await.unwrap();
        broken.set_zero_linger().unwrap();
        drop(broken);
        assert_eq!(read_to_end(&mut stream).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    })
    .await;
}

#[tokio::test]
async fn plain_caller_speaks_with_a_permitted_server() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let app = app(world.client(target), source).await.unwrap();
    let address = app.address().unwrap();
    let caller = async {
        let mut stream = dial(address).await;
        stream.write_all(b"question").await.unwrap();
        stream.shutdown().await.unwrap();
        read_to_end(&mut stream).await.unwrap()
    };
    let server = async {
        let (stream, _) = upstream.accept().await.unwrap();
        let secured = world.acceptor(SERVER, CLIENT).accept(stream).await.unwrap();
        let mut stream = secured.stream;
        let question = read_to_end(&mut stream).await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        stream.shutdown().await.unwrap();
        (secured.peer.spiffe_id().to_string(), question)
    };
    let said = beside(app, &world.clock, async { tokio::join!(caller, server) }).await;
    assert_eq!(said, ("answer".to_owned(), (CLIENT.to_owned(), "question".to_owned())));
}

#[tokio::test]
async fn caller_is_not_read_before_the_handshake_upstream_has_ended() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let proxy = proxy(world.client(target), source);
    let drain = Tasks::new(world.clock.clone()).drain();
    // Full as soon as nobody reads: then each byte that fits is one for a byte that was read.
    let (mut caller, far) = std::os::unix::net::UnixStream::pair().unwrap();
    caller.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    while caller.write(&[b'x'; 4096]).is_ok() {}
    let far = UnixStream::from_std(far).unwrap();
    let test = async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut hello = [0; 5];
        while stream.peek(&mut hello).await.unwrap() < hello.len() {}
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        assert_eq!(caller.write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut stream = world.acceptor(SERVER, CLIENT).accept(&mut stream).await.unwrap().stream;
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        drop(caller);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let caller = Plain::from(far);
    let pass = proxy.admission().admit(None, caller.origin());
    tokio::join!(proxy.serve(caller, pass, Notices::none(&proxy, drain)), test);
}

#[tokio::test]
async fn server_that_is_not_permitted_resets_the_caller() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let app = app(world.client(target), source).await.unwrap();
    let address = app.address().unwrap();
    let caller = async {
        let mut stream = dial(address).await;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        read_to_end(&mut stream).await.unwrap_err().kind()
    };
    let server = async {
        let (stream, _) = upstream.accept().await.unwrap();
        assert!(world.acceptor(STRANGER, CLIENT).accept(stream).await.is_err());
    };
    let (kind, ()) = beside(app, &world.clock, async { tokio::join!(caller, server) }).await;
    assert_eq!(kind, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn server_that_is_not_permitted_is_refused_in_ghostunnels_words() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let proxy = proxy(world.client(target), source);
    let server = async {
        let (stream, _) = upstream.accept().await.unwrap();
        world.acceptor(STRANGER, CLIENT).accept(stream).await.map(drop)
    };
    let (refusal, accepted) = tokio::join!(proxy.check_target(), server);
    assert!(accepted.is_err());
    let text = refusal.unwrap_err().to_string();
    assert_eq!(text, "unauthorized: invalid principal, or principal not allowed");
}

#[tokio::test]
async fn refusal_by_the_server_resets_the_caller() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let app = app(world.client(target), source).await.unwrap();
    let address = app.address().unwrap();
    let caller = async {
        let mut stream = dial(address).await;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        read_to_end(&mut stream).await.unwrap_err().kind()
    };
    let server = async {
        let (stream, _) = upstream.accept().await.unwrap();
        assert!(world.acceptor(SERVER, STRANGER).accept(stream).await.is_err());
    };
    let (kind, ()) = beside(app, &world.clock, async { tokio::join!(caller, server) }).await;
    assert_eq!(kind, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_caller_that_is_silent_is_reset_within_a_second() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let app = app(world.client(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut caller = dial(address).await;
        let (stream, _) = upstream.accept().await.unwrap();
        assert!(world.acceptor(STRANGER, CLIENT).accept(stream).await.is_err());
        let (read, ()) = tokio::join!(caller.read_u8(), async {
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
            world.hand.step(Duration::from_secs(1));
        });
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn open_connection_is_cut_when_our_identity_is_withdrawn() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (writer, source) = world.party(CLIENT);
    let app = app(world.client(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut caller = dial(address).await;
        let (stream, _) = upstream.accept().await.unwrap();
        let mut stream = world.acceptor(SERVER, CLIENT).accept(stream).await.unwrap().stream;
        stream.write_all(b"!").await.unwrap();
        caller.read_u8().await.unwrap();
        writer.withdraw("the entry was deleted");
        assert_eq!(caller.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn an_end_that_stays_open_alone_is_cut_after_the_close_timeout() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let stream = dial(address).await;
        let mut stream = world.connector(CLIENT, SERVER).connect(stream, name()).await.unwrap().stream;
        stream.shutdown().await.unwrap();
        let (mut lingering, _) = backend.accept().await.unwrap();
        assert_eq!(lingering.read(&mut [0]).await.unwrap(), 0);
        world.hand.step(Duration::from_secs(60));
        assert_eq!(read_to_end(&mut stream).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    })
    .await;
}

#[tokio::test]
async fn stopping_waits_for_open_connections_and_accepts_no_others() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    let stop = Tasks::new(world.clock.clone()).drain();
    let (ended, ()) = tokio::join!(app.run(stop.requested()), async {
        let connector = world.connector(CLIENT, SERVER);
        let mut open = connector.connect(dial(address).await, name()).await.unwrap().stream;
        let (mut stream, _) = backend.accept().await.unwrap();
        stop.request();
        while tokio::net::TcpStream::connect(address).await.is_ok() {}
        open.write_all(b"still here").await.unwrap();
        open.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut stream).await.unwrap(), "still here");
    });
    ended.unwrap();
}

#[tokio::test]
async fn connections_that_outstay_the_shutdown_timeout_are_cut_and_the_program_says_so() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    let stop = Tasks::new(world.clock.clone()).drain();
    let (ended, ()) = tokio::join!(app.run(stop.requested()), async {
        let connector = world.connector(CLIENT, SERVER);
        let mut open = connector.connect(dial(address).await, name()).await.unwrap().stream;
        let (_stream, _) = backend.accept().await.unwrap();
        stop.request();
        while tokio::net::TcpStream::connect(address).await.is_ok() {}
        world.hand.step(Duration::from_secs(5 * 60));
        assert!(open.read_u8().await.is_err());
    });
    let error = ended.unwrap_err();
    assert_eq!(error.to_string(), "graceful shutdown timeout: forcing exit");
}

#[tokio::test]
async fn without_an_identity_in_time_nothing_starts() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = Source::channel(&world.clock);
    let (built, ()) = tokio::join!(app(world.server(target), source), async {
        world.hand.sleepers(1).await;
        world.hand.step(Duration::from_secs(10 * 60));
    });
    let error = built.unwrap_err();
    assert!(matches!(error, ProxyError::NoIdentity(finial_receive::NotLive::Waiting)), "{error:?}");
    assert!(
        error.to_string().starts_with("timed out or failed waiting for initial SPIFFE Workload API update")
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let world = World::new();
    let (_taken, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let listen = local(target.port());
    let config = crate::ServerConfig { listen, ..world.server(target) };
    let error = app(config, source).await.unwrap_err().to_string();
    assert_eq!(error, format!("cannot listen on {target}: is another program there, or may this user not?"));
}

#[tokio::test]
async fn a_client_listens_on_a_unix_socket() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.sock");
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let config = crate::ClientConfig { listen: format!("unix:{}", path.display()), ..world.client(target) };
    let app = app(config, source).await.unwrap();
    assert_eq!(app.address(), None);
    beside(app, &world.clock, async {
        let mut caller = UnixStream::connect(&path).await.unwrap();
        let (stream, _) = upstream.accept().await.unwrap();
        let mut stream = world.acceptor(SERVER, CLIENT).accept(stream).await.unwrap().stream;
        stream.write_all(b"!").await.unwrap();
        assert_eq!(caller.read_u8().await.unwrap(), b'!');
        stream.shutdown().await.unwrap();
    })
    .await;
    assert!(!path.exists());
}
