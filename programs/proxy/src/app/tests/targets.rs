//! One listener with several targets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixtures::{
    CLIENT, SERVER, STRANGER, World, app, beside, dial, listener, local, name, proxy, read_to_end,
};
use crate::{ClientConfig, HealthCheck, ServerConfig, StatusFlags};

fn server(world: &World, targets: &[SocketAddr]) -> ServerConfig {
    let target = *targets.first().unwrap();
    let targets = targets.iter().map(|target| local(target.port())).collect();
    ServerConfig { targets, ..world.server(target) }
}

async fn connect(world: &World, address: SocketAddr) -> tokio_rustls::client::TlsStream<TcpStream> {
    world.connector(CLIENT, SERVER).connect(dial(address).await, name()).await.unwrap().stream
}

/// Nobody listens there, until somebody does.
async fn nobody() -> SocketAddr {
    listener().await.1
}

#[tokio::test]
async fn callers_are_spread_over_the_targets() {
    let world = World::new();
    let ((one, first), (two, second)) = (listener().await, listener().await);
    let (_writer, source) = world.party(SERVER);
    let app = app(server(&world, &[first, second]), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(connect(&world, address).await);
        }
        for _ in 0..2 {
            one.accept().await.unwrap();
            two.accept().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_target_that_refuses_costs_no_caller() {
    let world = World::new();
    let (backend, target) = listener().await;
    let dead = nobody().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(server(&world, &[dead, target]), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        for _ in 0..8 {
            let mut stream = connect(&world, address).await;
            stream.write_all(b"question").await.unwrap();
            stream.shutdown().await.unwrap();
            let (mut served, _) = backend.accept().await.unwrap();
            assert_eq!(read_to_end(&mut served).await.unwrap(), "question");
        }
    })
    .await;
}

#[tokio::test]
async fn a_target_that_flaps_costs_no_caller() {
    let world = World::new();
    let (steady, target) = listener().await;
    let flapping = nobody().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(server(&world, &[flapping, target]), source).await.unwrap();
    let address = app.address().unwrap();
    let serve = async |listener: &TcpListener| {
        loop {
            // Checks come too, and are gone when they are answered.
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"!").await;
        }
    };
    let calls = async || {
        for _ in 0..4 {
            assert_eq!(connect(&world, address).await.read_u8().await.unwrap(), b'!');
        }
        world.hand.step(Duration::from_secs(2));
    };
    let test = async {
        for round in 0..6 {
            if round % 2 == 0 {
                let up = TcpListener::bind(flapping).await.unwrap();
                tokio::select! {
                    () = serve(&up) => {}
                    () = calls() => {}
                }
            } else {
                calls().await;
            }
        }
    };
    let test = async {
        tokio::select! {
            () = serve(&steady) => {}
            () = test => {}
        }
    };
    beside(app, &world.clock, test).await;
}

#[tokio::test]
async fn a_server_that_is_somebody_else_is_passed_over_for_one_that_is_right() {
    let world = World::new();
    let ((wrong, first), (right, second)) = (listener().await, listener().await);
    let (_writer, source) = world.party(CLIENT);
    let targets = vec![local(first.port()), local(second.port())];
    let config = ClientConfig { targets, ..world.client(first) };
    let app = app(config, source).await.unwrap();
    let address = app.address().unwrap();
    let impostor = async {
        loop {
            let (stream, _) = wrong.accept().await.unwrap();
            let _ = world.acceptor(STRANGER, CLIENT).accept(stream).await;
        }
    };
    let test = async {
        for _ in 0..4 {
            let mut caller = dial(address).await;
            caller.write_all(b"?").await.unwrap();
            let (stream, _) = right.accept().await.unwrap();
            let mut stream = world.acceptor(SERVER, CLIENT).accept(stream).await.unwrap().stream;
            assert_eq!(stream.read_u8().await.unwrap(), b'?');
            stream.write_all(b"!").await.unwrap();
            assert_eq!(caller.read_u8().await.unwrap(), b'!');
        }
    };
    let test = async {
        tokio::select! {
            () = impostor => {}
            () = test => {}
        }
    };
    beside(app, &world.clock, test).await;
}

/// Answers requests with this status, for ever.
async fn answer(listener: &TcpListener, status: &str, asked: &std::cell::RefCell<Vec<String>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        asked.borrow_mut().push(String::from_utf8(head).unwrap());
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        let _ = stream.write_all(text.as_bytes()).await;
    }
}

async fn until(condition: impl Fn() -> bool, world: &World, step: Duration) {
    while !condition() {
        world.hand.step(step);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        tokio::io::AsyncWriteExt::flush(&mut tokio::io::sink()).await.unwrap();
    }
}

#[tokio::test]
async fn a_check_by_http_finds_a_target_ill_that_accepts_connections() {
    let world = World::new();
    let ((one, first), (two, second)) = (listener().await, listener().await);
    let (_writer, source) = world.party(SERVER);
    let check = HealthCheck { path: Some("/healthz".to_owned()), unhealthy: 2, ..HealthCheck::default() };
    let proxy = proxy(ServerConfig { health_check: Some(check), ..server(&world, &[first, second]) }, source);
    let (asked, others) = Default::default();
    let health = || {
        let now = world.clock.monotonic();
        proxy.targets().iter().map(|target| target.is_healthy(now)).collect::<Vec<_>>()
    };
    tokio::select! {
        () = answer(&one, "503 Service Unavailable", &asked) => {}
        () = answer(&two, "204 No Content", &others) => {}
        () = proxy.look_after_targets() => {}
        () = until(|| health() == [false, true], &world, Duration::from_secs(1)) => {}
    }
    assert!(asked.borrow().len() >= 2);
    assert!(asked.borrow().iter().all(|head| head.starts_with("GET /healthz HTTP/1.1\r\n")), "{asked:?}");
    // It recovers.
    tokio::select! {
        () = answer(&one, "200 OK", &asked) => {}
        () = answer(&two, "204 No Content", &others) => {}
        () = proxy.look_after_targets() => {}
        () = until(|| health() == [true, true], &world, Duration::from_secs(1)) => {}
    }
}

#[tokio::test]
async fn several_targets_are_checked_by_a_connection_unless_it_is_said_otherwise() {
    let world = World::new();
    let ((one, first), dead) = (listener().await, nobody().await);
    let (_writer, source) = world.party(SERVER);
    let proxy = proxy(server(&world, &[first, dead]), source);
    let health = || {
        let now = world.clock.monotonic();
        proxy.targets().iter().map(|target| target.is_healthy(now)).collect::<Vec<_>>()
    };
    tokio::select! {
        () = proxy.look_after_targets() => {}
        () = async { loop { one.accept().await.unwrap(); } } => {}
        () = until(|| health() == [true, false], &world, Duration::from_secs(1)) => {}
    }
}

#[tokio::test]
async fn one_target_is_left_alone() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    beside(app, &world.clock, async {
        for _ in 0..8 {
            world.hand.step(Duration::from_secs(60));
            tokio::task::yield_now().await;
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
async fn each_target_is_told_in_the_status_and_the_metrics() {
    let world = World::new();
    let (backend, target) = listener().await;
    let dead = nobody().await;
    let (_writer, source) = world.party(SERVER);
    let status = StatusFlags { address: Some(format!("http://{}", local(0))), ..StatusFlags::default() };
    let app = app(ServerConfig { status, ..server(&world, &[dead, target]) }, source).await.unwrap();
    let (address, status) = (app.address().unwrap(), app.status_address().unwrap());
    beside(app, &world.clock, async {
        let _open = connect(&world, address).await;
        let _served = backend.accept().await.unwrap();
        let (_, text) = super::status::ask(&mut dial(status).await, "GET /_status").await;
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["forward_address"], format!("{dead}, {target}"));
        assert_eq!(
            (&told["targets"][0]["healthy"], &told["targets"][1]["healthy"]),
            (&false.into(), &true.into())
        );
        assert_eq!(told["targets"][1]["open"], 1);
        let (_, text) = super::status::ask(&mut dial(status).await, "GET /_metrics/prometheus").await;
        let line = format!("\nghostunnel_target_healthy{{listener=\"\",target=\"{dead}\"}} 0\n");
        assert!(text.contains(&line), "{text}");
        assert!(text.contains(&format!("\nghostunnel_target_open{{listener=\"\",target=\"{target}\"}} 1\n")));
    })
    .await;
}

#[tokio::test]
async fn a_name_with_several_addresses_is_reached_at_the_one_that_answers() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    // The name has an address of IPv6 as well, where nobody listens, on most machines.
    let targets = vec![format!("localhost:{}", target.port())];
    let app = app(ServerConfig { targets, ..world.server(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let _open = connect(&world, address).await;
        backend.accept().await.unwrap();
    })
    .await;
}
