//! Clients that mean harm: frames that no HTTP/2 client sends, floods, headers missing or doubled. Each is shrugged off,
//! and the next honest client is served.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use finial_testkit::{Dev, until};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// `:method POST`, `:scheme http`, `:path /`, `te: trailers` in HPACK; enough for a request to be routed.
const REQUEST: &[u8] =
    &[0x83, 0x86, 0x84, 0x00, 0x02, b't', b'e', 0x08, b't', b'r', b'a', b'i', b'l', b'e', b'r', b's'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

fn opened() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// What an attacker writes, by name.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let after = |frames: Vec<u8>| [opened(), frames].concat();
    let flood = |count: u32, make: &dyn Fn(u32) -> Vec<u8>| after((0..count).flat_map(make).collect());
    let odd = |n: u32| 2 * n + 1;
    vec![
        ("noise", (0..=255).cycle().take(70_000).collect()),
        ("HTTP/1.1", b"POST /SpiffeWorkloadAPI/FetchX509SVID HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a TLS record", vec![0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0]),
        ("half a preface", PREFACE[..10].to_vec()),
        ("a preface and no settings", [PREFACE, &frame(DATA, 0, 1, b"early")].concat()),
        ("settings of a wrong length", [PREFACE, &frame(SETTINGS, 0, 0, &[0; 7])].concat()),
        ("a frame of sixteen megabytes", after(vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1])),
        ("a frame of no known kind", after(frame(0xfa, 0xff, 7, b"?"))),
        ("data on a stream that nobody opened", after(frame(DATA, 0, 9, b"data"))),
        ("headers on stream zero", after(frame(HEADERS, END_HEADERS, 0, REQUEST))),
        ("an even stream", after(frame(HEADERS, END_HEADERS, 2, REQUEST))),
        (
            "HPACK that refers to nothing",
            after(frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f])),
        ),
        ("a window that overflows", after(frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()))),
        ("a window that does not grow", after(frame(WINDOW_UPDATE, 0, 0, &[0; 4]))),
        (
            "headers that never end",
            flood(2_000, &|n| {
                let kind = if n == 0 { HEADERS } else { CONTINUATION };
                frame(kind, 0, 1, &[0x00, 0x01, b'a', 0x01, b'b'])
            }),
        ),
        (
            "streams opened and reset",
            flood(20_000, &|n| {
                [
                    frame(HEADERS, END_HEADERS, odd(n), REQUEST),
                    frame(RST_STREAM, 0, odd(n), &8_u32.to_be_bytes()),
                ]
                .concat()
            }),
        ),
        ("streams opened and left", flood(20_000, &|n| frame(HEADERS, END_HEADERS, odd(n), REQUEST))),
        ("pings", flood(50_000, &|n| frame(PING, 0, 0, &u64::from(n).to_be_bytes()))),
        ("settings again and again", flood(50_000, &|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]))),
        (
            "empty data again and again",
            after([frame(HEADERS, END_HEADERS, 1, REQUEST), frame(DATA, 0, 1, &[]).repeat(50_000)].concat()),
        ),
    ]
}

/// Writes all of it, reads nothing meanwhile, and then reads until the other side has had enough, or two seconds.
fn attack(socket: &Path, bytes: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // The other side may close in the middle of it, or stop reading.
    let _ = stream.write_all(bytes);
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::Interrupted => break,
            Ok(_) | Err(_) => {}
        }
    }
    stream
}

#[test]
fn cve_2023_44487_broken_frames_and_floods_harm_nobody_else() {
    let dev = Dev::start();
    dev.identity("spiffe://example.org/web");
    let sides =
        [(dev.agent_socket(), &["api", "fetch", "x509"][..]), (dev.server_socket(), &["entry", "count"])];
    for (name, bytes) in attacks() {
        for (socket, honest) in &sides {
            // Still connected while the honest one calls.
            let _attacker = attack(socket, &bytes);
            let answer = dev.cli(honest);
            assert!(answer.status.success(), "after {name}: {answer:?}");
        }
    }
    assert!(!dev.log().contains("panicked"), "{}", dev.log());
}

#[test]
fn spi_01_006_clients_that_connect_and_say_nothing_cost_a_descriptor_each_and_give_it_back() {
    let dev = Dev::start();
    dev.identity("spiffe://example.org/web");
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", dev.process_id())).unwrap().count();
    let before = descriptors();
    let silent: Vec<_> = (0..500).map(|_| UnixStream::connect(dev.agent_socket()).unwrap()).collect();
    until("500 connections", || (descriptors() >= before + 500).then_some(()));
    dev.cli(&["api", "fetch", "x509"]).expect_success();
    drop(silent);
    until("as many descriptors as before", || (descriptors() <= before + 5).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn spi_01_006_callers_without_an_identity_leave_no_descriptor_behind() {
    const PERMISSION_DENIED: &str = "7";
    let dev = Dev::start();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", dev.process_id())).unwrap().count();
    let denied = async || call(&dev, headers(&[("workload.spiffe.io", b"true")]), &[0; 5]).await;
    assert_eq!(denied().await, PERMISSION_DENIED);
    let before = descriptors();
    for _ in 0..300 {
        assert_eq!(denied().await, PERMISSION_DENIED);
    }
    until("as many descriptors as before", || (descriptors() <= before + 5).then_some(()));
}

/// The settings with which a server begins a connection: numbers and values (RFC 9113 §6.5).
fn settings(socket: &Path) -> Vec<(u16, u32)> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&opened()).unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], SETTINGS);
    let mut settings = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut settings).unwrap();
    let pair = |six: &[u8]| {
        (u16::from_be_bytes([six[0], six[1]]), u32::from_be_bytes([six[2], six[3], six[4], six[5]]))
    };
    settings.chunks(6).map(pair).collect()
}

#[test]
fn every_socket_tells_how_many_calls_and_how_much_of_headers_it_takes() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    const MAX_HEADER_LIST_SIZE: u16 = 6;
    let dev = Dev::start();
    for (socket, calls) in [(dev.agent_socket(), 1_000), (dev.server_socket(), 256)] {
        let told = settings(&socket);
        assert!(told.contains(&(MAX_CONCURRENT_STREAMS, calls)), "{told:?}");
        assert!(told.contains(&(MAX_HEADER_LIST_SIZE, 16 * 1024)), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_the_limit_are_refused() {
    let dev = Dev::start();
    let stream = tokio::net::UnixStream::connect(dev.agent_socket()).await.unwrap();
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut request = Request::post("http://localhost/SpiffeWorkloadAPI/FetchX509SVID")
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    request.headers_mut().insert("x-long", HeaderValue::from_bytes(&vec![b'x'; 17 * 1024]).unwrap());
    tokio::select! {
        answer = client.send_request(request) => {
            assert!(answer.is_ok_and(|answer| answer.status() == 431) , "it was taken");
        }
        _ = connection => {}
    }
}

/// The outcome of one call with these headers and this body: gRPC's code, wherever it stands.
async fn call(dev: &Dev, headers: HeaderMap, body: &'static [u8]) -> String {
    let stream = tokio::net::UnixStream::connect(dev.agent_socket()).await.unwrap();
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut request = Request::post("http://localhost/SpiffeWorkloadAPI/FetchX509SVID")
        .body(Full::new(Bytes::from_static(body)))
        .unwrap();
    request.headers_mut().extend(headers);
    let code = |headers: &HeaderMap| headers.get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
    let answer = async {
        let mut response = client.send_request(request).await.unwrap();
        if let Some(code) = code(response.headers()) {
            return code;
        }
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        frame.trailers_ref().map_or_else(|| "an answer".to_owned(), |trailers| code(trailers).unwrap())
    };
    tokio::select! {
        answer = answer => answer,
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

fn headers(pairs: &[(&'static str, &'static [u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("content-type", &b"application/grpc"[..]), ("te", b"trailers")].iter().chain(pairs)
    {
        headers.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn only_exactly_one_security_header_opens_the_workload_api() {
    const NAME: &str = "workload.spiffe.io";
    const EMPTY: &[u8] = &[0; 5];
    const INVALID_ARGUMENT: &str = "3";
    let dev = Dev::start();
    tokio::task::block_in_place(|| dev.identity("spiffe://example.org/web"));
    let good: &[(_, &[u8])] = &[(NAME, b"true")];
    assert_eq!(call(&dev, headers(good), EMPTY).await, "an answer");
    let bad: [&[(&str, &[u8])]; 7] = [
        &[],
        &[(NAME, b"")],
        &[(NAME, b"True")],
        &[(NAME, b"true ,true")],
        &[(NAME, b"true"), (NAME, b"true")],
        &[(NAME, b"true"), (NAME, b"false")],
        &[(NAME, b"tru\xe9")],
    ];
    for pairs in bad {
        assert_eq!(call(&dev, headers(pairs), EMPTY).await, INVALID_ARGUMENT, "{pairs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_none_gets_a_code_and_no_answer() {
    const GOOD: &[(&str, &[u8])] = &[("workload.spiffe.io", b"true")];
    let dev = Dev::start();
    tokio::task::block_in_place(|| dev.identity("spiffe://example.org/web"));
    let bodies: [(&str, &'static [u8]); 5] = [
        ("nothing", &[]),
        ("half a prefix", &[0, 0]),
        ("a message of four gigabytes", &[0, 0xff, 0xff, 0xff, 0xff, 1]),
        ("a message compressed by nobody knows what", &[1, 0, 0, 0, 1, 1]),
        ("a message that ends too early", &[0, 0, 0, 0, 9, 1]),
    ];
    for (name, body) in bodies {
        let outcome = call(&dev, headers(GOOD), body).await;
        assert!(outcome.parse::<u32>().is_ok_and(|code| code != 0), "{name}: {outcome}");
    }
}
