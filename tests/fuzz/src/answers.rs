//! Answers of an agent and of a server: what their callers decode, turn into nouns, and rely on.
//!
//! An input's first byte says which call it answers, and how the rest is to be taken, as that of a request does.

mod agent;
mod server;

use std::cell::{LazyCell, RefCell};
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, Uri};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint};

use crate::grpc::{body, position, wait};

/// How much of a connection may be under way, in bytes.
const ROOM: usize = 1 << 16;

/// Something that a caller asks, and what must hold of what it makes of the answer.
type Call = fn(Channel) -> BoxFuture<'static, ()>;

thread_local! {
    /// What every call is answered with now.
    static ANSWER: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
    static CHANNEL: LazyCell<Channel> = LazyCell::new(channel);
}

/// What a workload, a delegate or an operator is told by an agent.
pub(crate) fn agent_answer(data: &[u8]) {
    hear(agent::CALLS, data);
}

/// What an agent or an operator is told by a server.
pub(crate) fn server_answer(data: &[u8]) {
    hear(server::CALLS, data);
}

fn hear(calls: &[Call], data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    ANSWER.with(|answer| answer.replace(body(first, rest)));
    wait(async {
        let channel = CHANNEL.with(|channel| Channel::clone(channel));
        calls[position(first) % calls.len()](channel).await;
    });
}

/// A real client's connection, at whose other end somebody says the same to everything.
fn channel() -> Channel {
    let connector = tower::service_fn(|_: Uri| {
        let (ours, theirs) = tokio::io::duplex(ROOM);
        let server = http2::Builder::new(TokioExecutor::new());
        let serving = server.serve_connection(TokioIo::new(theirs), service_fn(|_| ready(answer())));
        Handle::current().spawn(serving);
        ready(Ok::<_, Infallible>(TokioIo::new(ours)))
    });
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
}

type Answer = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

fn answer() -> Result<Response<Answer>, Infallible> {
    let data = ANSWER.with(|answer| answer.borrow().clone());
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let body = StreamBody::new(stream::iter([Ok(Frame::data(data)), Ok(Frame::trailers(trailers))]));
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}
