//! A caller and its backend that have agreed to go on by WebSocket: bytes both ways, as in any pipe.

use std::io;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt};

use super::answer::{Answer, Refusal, pass_on};
use crate::pipe::End;
use crate::plain::Plain;

/// What a caller's connection becomes after a request that asked for a switch.
#[derive(Debug)]
pub(super) struct Switch {
    caller: OnUpgrade,
    /// Of a backend that has agreed.
    backend: Option<OnUpgrade>,
}

/// Both streams of a switch that was agreed on.
pub(super) struct Tunnel<C> {
    pub(super) caller: C,
    pub(super) backend: Plain,
}

impl Switch {
    /// Before anybody has agreed.
    pub(super) fn asked(request: &mut Request<Incoming>) -> Option<Self> {
        request.extensions().get::<OnUpgrade>()?;
        Some(Self { caller: hyper::upgrade::on(request), backend: None })
    }

    /// The answer to the caller when the backend agrees. An answer that switches to something else is none.
    pub(super) fn agree(&mut self, mut response: Response<Incoming>) -> Result<Answer, Refusal> {
        let protocol = response.headers().get(UPGRADE);
        if !protocol.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket")) {
            return Err(Refusal::NoAnswer);
        }
        self.backend = Some(hyper::upgrade::on(&mut response));
        let mut answer = pass_on(response);
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        answer.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        Ok(answer)
    }

    /// Comes after the last answer. Of a connection that could have been switched, and was not, hyper leaves it to us to
    /// end it in order. What the backend has said already is passed on.
    pub(super) async fn open(self) -> io::Result<Option<Tunnel<impl AsyncRead + End>>> {
        let Ok(caller) = self.caller.await else { return Ok(None) };
        let mut caller = TokioIo::new(caller);
        let Some(backend) = self.backend else {
            caller.shutdown().await?;
            return Ok(None);
        };
        let backend = backend.await.map_err(io::Error::other)?;
        let foreign = |_| io::Error::other("the backend's connection is not ours");
        let backend = backend.downcast::<TokioIo<Plain>>().map_err(foreign)?;
        caller.write_all(&backend.read_buf).await?;
        caller.flush().await?;
        Ok(Some(Tunnel { caller, backend: backend.io.into_inner() }))
    }
}
