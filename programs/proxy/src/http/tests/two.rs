//! Callers with HTTP/2 before a backend with HTTP/1.1.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::stage::{Caller, Stage};
use crate::fixtures::CLIENT;

pub(super) async fn sender<B>(caller: Caller) -> http2::SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(caller)).await.unwrap();
    hyper::rt::Executor::execute(&TokioExecutor::new(), async { connection.await.map_or((), drop) });
    sender
}

#[tokio::test]
async fn requests_at_once_are_each_told_of() {
    let (backend, ()) = Stage::new()
        .await
        .visit(async |stage, address| {
            let mut sender = sender::<Empty<Bytes>>(stage.call(address, "h2").await).await;
            let asked = (0..20).map(|index| {
                let request = Request::get(format!("https://h/{index}")).header("x-spiffe-id", "forged");
                sender.send_request(request.body(Empty::new()).unwrap())
            });
            for answer in futures_util::future::join_all(asked).await {
                let answer = answer.unwrap();
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
            }
            // Answered, they leave a few connections for the next.
            let request = Request::get("https://h/last").body(Empty::new()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        })
        .await;
    assert!(backend.len() <= 20, "{}", backend.len());
    let all = backend.concat();
    assert!(!all.contains("forged"), "{all}");
    assert_eq!(all.matches(&format!("x-spiffe-id: {CLIENT}\r\n")).count(), 21);
    for index in 0..20 {
        assert_eq!(all.matches(&format!("GET /{index} HTTP/1.1\r\n")).count(), 1);
    }
}
