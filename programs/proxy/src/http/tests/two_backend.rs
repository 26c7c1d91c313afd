//! Backends with HTTP/2, such as those of gRPC.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::stage::Stage;
use super::two::sender;
use crate::fixtures::{CLIENT, beside};

type Seen = Arc<Mutex<Vec<(Parts, Bytes, HeaderMap)>>>;

/// Serves one connection, and ends each answer with trailers.
async fn serve(backend: &TcpListener, seen: &Seen) {
    let (stream, _) = backend.accept().await.unwrap();
    let answer = service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(seen);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap();
            let trailers = body.trailers().cloned().unwrap_or_default();
            seen.lock().unwrap().push((parts, body.to_bytes(), trailers));
            let mut last = HeaderMap::new();
            last.insert("grpc-status", "0".parse().unwrap());
            let frames = [Frame::data(Bytes::from("answer")), Frame::trailers(last)];
            let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        }
    });
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
}

async fn stage() -> Stage {
    let mut stage = Stage::new().await;
    stage.config.target_http2 = true;
    stage
}

#[tokio::test]
async fn a_call_of_grpc_is_told_of_and_gets_its_trailers() {
    let stage = stage().await;
    let seen = Seen::default();
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut sender = sender(stage.call(address, "h2").await).await;
        for _ in 0..2 {
            let mut forged = HeaderMap::new();
            forged.insert("x-spiffe-id", "forged".parse().unwrap());
            forged.insert("x-sum", "9".parse().unwrap());
            let frames = [Frame::data(Bytes::from("question")), Frame::trailers(forged)];
            let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
            let request = Request::post("https://grpc.test/s.S/M")
                .header("te", "trailers")
                .header("content-type", "application/grpc")
                .header("x-spiffe-id", "forged")
                .header("x_spiffe_id", "forged");
            let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
            let body = answer.into_body().collect().await.unwrap();
            assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
            assert_eq!(body.to_bytes(), "answer");
        }
    };
    let backend = serve(&stage.backend, &seen);
    beside(app, &stage.world.clock, async {
        tokio::select! { () = test => (), () = backend => panic!() }
    })
    .await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2, "both calls came by one connection");
    for (parts, body, trailers) in seen.iter() {
        assert_eq!(parts.uri, "http://grpc.test/s.S/M");
        assert_eq!(parts.headers.get_all("x-spiffe-id").iter().collect::<Vec<_>>(), [CLIENT]);
        assert_eq!(parts.headers["client-cert"], stage.certificate());
        assert_eq!(parts.headers["te"], "trailers");
        assert!(!format!("{parts:?}{trailers:?}").contains("forged"), "{parts:?}");
        assert_eq!((body.as_ref(), &trailers["x-sum"]), (b"question".as_slice(), &"9".parse().unwrap()));
    }
    assert!(STANDARD.decode(stage.certificate().trim_matches(':')).is_ok());
}

#[tokio::test]
async fn calls_at_once_share_one_connection() {
    let stage = stage().await;
    let seen = Seen::default();
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut sender = sender::<Empty<Bytes>>(stage.call(address, "h2").await).await;
        let asked =
            (0..50).map(|_| sender.send_request(Request::get("https://h/").body(Empty::new()).unwrap()));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    };
    // The second connection would wait for ever.
    let backend = serve(&stage.backend, &seen);
    beside(app, &stage.world.clock, async {
        tokio::select! { () = test => (), () = backend => panic!() }
    })
    .await;
    assert_eq!(seen.lock().unwrap().len(), 50);
}

#[tokio::test]
async fn a_caller_with_http_1_reaches_a_backend_with_http_2() {
    let stage = stage().await;
    let seen = Seen::default();
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        let raw = "POST /a HTTP/1.1\r\nHost: h.test\r\nConnection: close, x-hop, upgrade\r\nUpgrade: websocket\r\n\
                   X-Hop: 1\r\nX-Spiffe-Id: forged\r\nTransfer-Encoding: chunked\r\nTrailer: X-Spiffe-Id\r\n\r\n\
                   2\r\nhi\r\n0\r\nX-Spiffe-Id: forged\r\n\r\n";
        caller.write_all(raw.as_bytes()).await.unwrap();
        let mut heard = String::new();
        let ended = caller.read_to_string(&mut heard).await;
        assert!(ended.is_ok(), "{ended:?} {heard}");
        assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    };
    let backend = serve(&stage.backend, &seen);
    beside(app, &stage.world.clock, async { tokio::join!(test, backend) }).await;
    let seen = seen.lock().unwrap();
    let [(parts, body, trailers)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((parts.uri.to_string().as_str(), body.as_ref()), ("http://h.test/a", b"hi".as_slice()));
    assert_eq!(parts.headers["x-spiffe-id"], CLIENT);
    assert!(trailers.is_empty(), "{trailers:?}");
    for name in ["connection", "x-hop", "upgrade", "transfer-encoding", "host"] {
        assert!(!parts.headers.contains_key(name), "{parts:?}");
    }
}

#[tokio::test]
async fn a_backend_that_speaks_http_1_after_all_is_no_answer() {
    let stage = stage().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        loop {
            let (mut stream, _) = stage.backend.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    };
    let test = async {
        let mut sender = sender::<Full<Bytes>>(stage.call(address, "h2").await).await;
        let request = Request::get("https://h/").body(Full::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 502);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "the backend gave no answer\n");
    };
    beside(app, &stage.world.clock, async {
        tokio::select! { () = test => (), () = backend => () }
    })
    .await;
}
