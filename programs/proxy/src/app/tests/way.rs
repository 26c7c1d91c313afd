//! A proxy on the way to the target that is slow, silent, or says too much.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixtures::{CLIENT, SERVER, World, app, beside, dial, listener};
use crate::{ClientConfig, Limits, Upstream};

const SECOND: Duration = Duration::from_secs(1);
const SCHEMES: [&str; 2] = ["http", "socks5"];

/// A client that dials for at most five seconds, by way of a proxy that `answer` plays, and a caller who is cut then.
async fn cut_after_five_seconds(scheme: &str, answer: impl AsyncFnOnce(&mut TcpStream)) {
    let world = World::new();
    let (way, way_address) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let limits = Limits { connect_timeout: 5 * SECOND, ..Limits::default() };
    let upstream = Some(Upstream::parse(&format!("{scheme}://{way_address}")).unwrap());
    let target = "127.0.0.1:9".parse().unwrap();
    let app = app(ClientConfig { upstream, limits, ..world.client(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut caller = dial(address).await;
        caller.write_all(b"?").await.unwrap();
        let (mut stream, _) = way.accept().await.unwrap();
        let said = stream.read_u8().await.unwrap();
        assert_eq!(said, if scheme == "http" { b'C' } else { 5 });
        let time = async {
            for _ in 0..4 {
                turns().await;
                world.hand.step(SECOND);
            }
            turns().await;
            let open = caller.try_read(&mut [0]).unwrap_err();
            assert_eq!(open.kind(), ErrorKind::WouldBlock, "{scheme}: cut before its time");
            world.hand.step(SECOND);
            assert!(caller.read_u8().await.is_err());
        };
        tokio::select! {
            () = async { answer(&mut stream).await; std::future::pending().await } => {}
            () = time => {}
        }
    })
    .await;
}

async fn turns() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn caller_is_cut_when_the_proxy_on_the_way_never_answers() {
    for scheme in SCHEMES {
        cut_after_five_seconds(scheme, async |_| {}).await;
    }
}

#[tokio::test]
async fn bytes_that_drip_buy_the_proxy_on_the_way_no_time() {
    for scheme in SCHEMES {
        let drip = async |stream: &mut TcpStream| {
            let answer: &[u8] = if scheme == "http" { b"HTTP/1.1 200" } else { b"\x05" };
            for byte in answer {
                if stream.write_u8(*byte).await.is_err() {
                    return;
                }
                turns().await;
            }
        };
        cut_after_five_seconds(scheme, drip).await;
    }
}

/// The rest of what the proxy on the way says is what the target says, and that must be TLS.
#[tokio::test]
async fn proxy_on_the_way_that_says_too_much_is_taken_for_no_target() {
    let world = World::new();
    let (way, way_address) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let upstream = Some(Upstream::parse(&format!("http://{way_address}")).unwrap());
    let target = "127.0.0.1:9".parse().unwrap();
    let app = app(ClientConfig { upstream, ..world.client(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let mut caller = dial(address).await;
        caller.write_all(b"?").await.unwrap();
        answer(&way, b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await;
        assert!(caller.read_u8().await.is_err());

        // The next caller is led to the target.
        let (caller, target) = tokio::join!(dial(address), async {
            let mut stream = answer(&way, b"HTTP/1.1 200 OK\r\n\r\n").await;
            let acceptor = world.acceptor(SERVER, CLIENT);
            let mut secured = acceptor.accept(&mut stream).await.unwrap().stream;
            secured.write_all(b"!").await.unwrap();
            secured.shutdown().await.unwrap();
            stream
        });
        let mut caller = caller;
        assert_eq!(caller.read_u8().await.unwrap(), b'!');
        drop(target);
    })
    .await;
}

/// The request is read to its end first.
async fn answer(way: &TcpListener, answer: &[u8]) -> TcpStream {
    let (mut stream, _) = way.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer).await.unwrap();
    stream
}
