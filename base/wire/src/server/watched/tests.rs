//! Calls that end in each of the ways there are.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::Full;

use super::*;

type Seen = Arc<Mutex<Vec<(String, Code, String)>>>;

#[derive(Clone, Default)]
struct Notes(Seen);

struct Note(Seen, String);

impl CallWatcher for Notes {
    type Call = Note;

    fn begin(&self, request: &mut Request<Body>) -> Note {
        request.extensions_mut().insert("seen");
        Note(Arc::clone(&self.0), request.uri().path().to_owned())
    }
}

impl WatchedCall for Note {
    fn end(self, status: &Status) {
        self.0.lock().unwrap().push((self.1, status.code(), status.message().to_owned()));
    }
}

#[derive(Clone)]
struct Answers(fn() -> Response<Body>);

impl Service<Request<Body>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert_eq!(request.extensions().get::<&str>(), Some(&"seen"));
        std::future::ready(Ok((self.0)()))
    }
}

async fn ended(answer: fn() -> Response<Body>, read: bool) -> Vec<(String, Code, String)> {
    let notes = Notes::default();
    let mut service = watched(Answers(answer), notes.clone());
    let request = Request::builder().uri("/a.B/C").body(Body::empty()).unwrap();
    let response = service.call(request).await.unwrap();
    if read {
        let _ = response.into_body().collect().await;
    } else {
        drop(response);
    }
    notes.0.lock().unwrap().clone()
}

fn with_trailers(pairs: &'static [(&'static str, &'static str)]) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    for (name, value) in pairs {
        trailers.insert(*name, value.parse().unwrap());
    }
    let body = Full::new(Bytes::from_static(b"x")).with_trailers(std::future::ready(Some(Ok(trailers))));
    Response::new(Body::new(body))
}

#[tokio::test]
async fn trailers_say_how_a_call_ended() {
    let seen = ended(|| with_trailers(&[("grpc-status", "0")]), true).await;
    assert_eq!(seen, [("/a.B/C".to_owned(), Code::Ok, String::new())]);
    let seen = ended(|| with_trailers(&[("grpc-status", "5"), ("grpc-message", "not%20here")]), true).await;
    assert_eq!(seen, [("/a.B/C".to_owned(), Code::NotFound, "not here".to_owned())]);
}

#[tokio::test]
async fn answer_without_messages_says_so_in_its_headers() {
    let seen = ended(|| Status::permission_denied("no").into_http(), true).await;
    assert_eq!(seen, [("/a.B/C".to_owned(), Code::PermissionDenied, "no".to_owned())]);
}

#[tokio::test]
async fn call_that_nobody_waits_for_is_cancelled() {
    for read in [true, false] {
        // A body without trailers was cut off.
        let seen = ended(|| Response::new(Body::new(Full::new(Bytes::from_static(b"x")))), read).await;
        assert_eq!(seen.iter().map(|(_, code, _)| *code).collect::<Vec<_>>(), [Code::Cancelled]);
    }
}
