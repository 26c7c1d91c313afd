//! One HTTP call, over TCP or a Unix socket.

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::config::{HookUrl, Method};

/// The longest head of an answer, in bytes. Bodies are not read.
const HEAD: usize = 16 * 1024;
const AGENT: &str = concat!("finial-helper/", env!("CARGO_PKG_VERSION"));

/// Why a call was not answered, or not by a success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("it cannot be connected to")]
    Connect(#[source] io::Error),
    #[error("it does not speak HTTP/1.1 to the end")]
    Protocol(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
}

/// Calls; every status of success will do, and redirections are not followed.
pub(super) async fn send(method: Method, url: &HookUrl, socket: Option<&Path>) -> Result<(), RequestError> {
    let request = request(method, url);
    let status = match socket {
        Some(socket) => {
            exchange(UnixStream::connect(socket).await.map_err(RequestError::Connect)?, request).await?
        }
        None => {
            let connected = TcpStream::connect((url.host.as_str(), url.port)).await;
            exchange(connected.map_err(RequestError::Connect)?, request).await?
        }
    };
    if status.is_success() { Ok(()) } else { Err(RequestError::Status(status)) }
}

fn request(method: Method, url: &HookUrl) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = url.path.clone().into();
    request.headers_mut().insert(HOST, url.authority.clone());
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if method == Method::Post {
        *request.method_mut() = hyper::Method::POST;
        // Some servers refuse a POST that does not say that it is empty.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<StatusCode, RequestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = http1::Builder::new();
    let (mut sender, connection) = client.max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // It may have ended with the answer.
        _ = connection => answer.await,
    };
    Ok(answer?.status())
}
