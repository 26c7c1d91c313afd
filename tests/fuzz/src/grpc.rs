//! Requests to the APIs of server and agent: decoded, turned into nouns, answered.
//!
//! An input's first byte says which method is called and how the rest is to be taken: as the body of the request, as
//! messages that follow each other, each with its length in two bytes before it, or as one message.

mod agent;
mod server;

use std::cell::LazyCell;
use std::future::Future;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use tokio::runtime::{Builder, Runtime};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

const RAW: u8 = 0x80;
const MANY: u8 = 0x40;

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    static SERVER: LazyCell<Routes> = LazyCell::new(server::routes);
    static AGENT: LazyCell<Routes> = LazyCell::new(agent::routes);
}

/// Waits for what needs no other task.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// A request to the server, by an agent or an administrator.
pub(crate) fn server_request(data: &[u8]) {
    ask(SERVER.with(|routes| Routes::clone(routes)), server::METHODS, data);
}

/// A request to the agent, by a workload, an Envoy, a delegate or an operator.
pub(crate) fn agent_request(data: &[u8]) {
    ask(AGENT.with(|routes| Routes::clone(routes)), agent::METHODS, data);
}

/// Whatever is asked, there is an answer that gRPC knows.
fn ask(routes: Routes, methods: &[&str], data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let method = methods[position(first) % methods.len()];
    let request = Request::post(format!("http://localhost/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("workload.spiffe.io", "true")
        .body(Body::new(Full::new(body(first, rest))))
        .unwrap();
    wait(async {
        let response = routes.prepare().oneshot(request).await.unwrap();
        let early = code(response.headers());
        let mut body = response.into_body();
        let mut late = None;
        // Nothing is read after the trailers, as in HTTP/2.
        while late.is_none()
            && let Some(frame) = body.frame().await
        {
            late = frame.unwrap().into_trailers().ok();
        }
        let code = early.or_else(|| late.as_ref().and_then(code)).expect("a code");
        assert!(code <= 16 && code != tonic::Code::Unknown as u16, "{method} is answered with code {code}");
    });
}

/// Which method the first byte means.
pub(crate) fn position(first: u8) -> usize {
    usize::from(first & !(RAW | MANY))
}

/// The body that the rest makes, as the first byte says.
pub(crate) fn body(first: u8, mut rest: &[u8]) -> Bytes {
    if first & RAW != 0 {
        return Bytes::copy_from_slice(rest);
    }
    let mut body = Vec::new();
    while first & MANY != 0 && rest.len() > 2 {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]])).min(rest.len() - 2);
        frame(&mut body, &rest[2..2 + length]);
        rest = &rest[2 + length..];
    }
    if first & MANY == 0 {
        frame(&mut body, rest);
    }
    body.into()
}

fn frame(body: &mut Vec<u8>, message: &[u8]) {
    body.push(0);
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
}

fn code(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status").map(|code| code.to_str().unwrap().parse().unwrap())
}

/// What an API says that has nothing to give.
fn nothing<T>() -> Result<T, Status> {
    Err(Status::not_found("nothing here"))
}
